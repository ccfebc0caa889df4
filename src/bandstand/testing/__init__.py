"""Fakes of the ports that keep their promises, for tests here and in whatever builds on Bandstand."""
