"""Tests that a change takes away, empties or skips."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandstand.domain.detection import removed_tests, weakened_tests

TWO = "def test_one():\n    assert one()\n\ndef test_two():\n    assert two()\n"


def told(before: dict[str, str], after: dict[str, str]) -> tuple[str, ...]:
    """The sentences for a change from some files to others."""
    old = {path: text.encode() for path, text in before.items()}
    new = {path: text.encode() for path, text in after.items()}
    return weakened_tests(changed=sorted(old | new), before=old.get, after=new.get)


@pytest.mark.parametrize("left", ["", "\n\n", "# nothing\n", "import pytest\n", '"""Later."""\n', "def one(): ...\n"])
def test_a_test_file_that_is_emptied_is_told(left: str) -> None:
    """It still has its name and nothing in it runs, so no red tells of it."""
    assert told({"tests/test_a.py": TWO}, {"tests/test_a.py": left}) == (
        "It leaves none of 2 tests in tests/test_a.py.",
    )


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("a_test.go", "func TestOne(t *testing.T) {}\n", "package a\n"),
        ("a.test.ts", "it('does', () => {})\n", "export {}\n"),
        ("__tests__/a.js", "test.each([1])('x', () => {})\n", ""),
        ("tests/a.rs", "#[tokio::test]\nasync fn a() {}\n", "fn a() {}\n"),
        ("ATest.java", "@Test\nvoid one() {}\n", "void one() {}\n"),
        ("a_spec.rb", "it 'does' do\nend\n", ""),
        ("tests/test_a.py", "class TestA:\n    async def test_a(self): ...\n", "class A:\n    def test_a(self): ...\n"),
        ("tests/test_a.py", TWO, "def test_one(: unfinished"),
    ],
)
def test_each_language_has_its_own_way_to_write_a_test(path: str, before: str, after: str) -> None:
    """What no longer is one was removed."""
    (sentence,) = told({path: before}, {path: after})
    assert path in sentence


def test_single_tests_that_go_are_named() -> None:
    """A person sees at once which."""
    assert told({"tests/test_a.py": TWO}, {"tests/test_a.py": TWO.replace("test_two", "helper")}) == (
        "It removes 1 of 2 tests in tests/test_a.py: test_two.",
    )


@pytest.mark.parametrize(
    ("path", "mark"),
    [
        ("tests/test_a.py", "@pytest.mark.skip\ndef test_one(): ...\n"),
        ("tests/test_a.py", "@pytest.mark.xfail(run=False)\ndef test_one(): ...\n"),
        ("tests/test_a.py", "def test_one():\n    pytest.skip('x')\n"),
        ("tests/test_a.py", "pytestmark = pytest.mark.skipif(True)\ndef test_one(): ...\n"),
        ("tests/test_a.py", "@unittest.skip('x')\ndef test_one(): ...\n"),
        ("tests/test_a.py", "pytest.importorskip('x')\ndef test_one(): ...\n"),
        ("tests/test_a.py", "__test__ = False\ndef test_one(): ...\n"),
        ("a_test.go", "func TestOne(t *testing.T) { t.Skip() }\n"),
        ("a.test.ts", "it.skip('test_one', f)\n"),
        ("a.test.ts", "xit('test_one', f)\n"),
        ("a.test.ts", "it.only('test_one', f)\n"),
        ("tests/a.rs", "#[test]\n#[ignore]\nfn one() {}\n"),
        ("ATest.java", "@Disabled\n@Test void one() {}\n"),
    ],
)
def test_a_test_that_is_skipped_is_told(path: str, mark: str) -> None:
    """Also one that is skipped from its first day; not one that was so before or runs again."""
    assert told({path: ""}, {path: mark}) == (f"It skips tests in {path}.",)
    assert told({}, {path: mark}) == (f"It skips tests in {path}.",)
    assert told({path: mark}, {path: mark + "\n\n"}) == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"tests/test_a.py": TWO}, {"tests/test_a.py": TWO + "\ndef test_three(): ...\n"}),
        ({"tests/test_a.py": TWO}, {"tests/test_a.py": TWO.replace("test_two", "test_other")}),
        ({"tests/test_a.py": TWO}, {"tests/test_a.py": "", "tests/test_b.py": TWO}),
        ({"tests/test_a.py": TWO}, {"tests/test_a.py": TWO.replace("assert", "# @pytest.mark.skip\n    assert")}),
        ({"tests/test_a.py": "def test_a():\n    'no pytest.skip here'\n"}, {"tests/test_a.py": "def test_a(): ...\n"}),
        ({"src/app.py": "def test_connection(): ...\n"}, {"src/app.py": ""}),
        ({"tests/__init__.py": "x = 1\n"}, {"tests/__init__.py": ""}),
        ({"tests/test_a.py": TWO}, {}),
        ({}, {"tests/test_a.py": ""}),
    ],
)
def test_work_on_tests_is_free(before: dict[str, str], after: dict[str, str]) -> None:
    """New, renamed or moved tests, comments, other files. A whole file that is gone is told by `removed_tests`."""
    assert told(before, after) == ()


@pytest.mark.parametrize(
    "path",
    ["tests/test_a.py", "a_test.go", "web/a.spec.tsx", "src/__tests__/a.jsx", "tests/a.rs", "ATest.php", "t/run.bats"],
)
def test_a_test_file_that_is_gone_is_told(path: str) -> None:
    """What never runs is never red."""
    assert removed_tests([path, "src/app.py"]) == (f"It removes or moves {path}, which holds tests.",)


@given(names=st.sets(st.sampled_from("abcdefgh"), min_size=1), kept=st.sets(st.sampled_from("abcdefgh")))
def test_a_file_with_fewer_tests_is_always_told(names: set[str], kept: set[str]) -> None:
    """Whichever go, and whichever are new: fewer is told, as many or more is not."""

    def text(which: set[str]) -> str:
        return "".join(f"def test_{name}():\n    assert {name}\n" for name in sorted(which))

    assert bool(told({"test_x.py": text(names)}, {"test_x.py": text(kept)})) == (len(kept) < len(names))


@given(before=st.binary(max_size=80), after=st.binary(max_size=80))
def test_any_content_is_survived(before: bytes, after: bytes) -> None:
    """Tests are written by anybody."""
    paths = ["test_a.py", "a_test.go", "a.test.ts"]
    weakened_tests(changed=paths, before=lambda _: before, after=lambda _: after)
