import unittest

from setlist.routes import ROUTES


class Routes(unittest.TestCase):
    def test_every_address_shows_something(self):
        for address, show in ROUTES.items():
            with self.subTest(address):
                self.assertTrue(show())

    def test_the_page_lists_every_song(self):
        self.assertEqual(ROUTES["/"]().count("<li>"), len(ROUTES["/titles"]().splitlines()))


if __name__ == "__main__":
    unittest.main()
