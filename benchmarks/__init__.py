"""The figures of Bandstand, each measured beside its floor in the same run: `make bench`.

Every measure is a module of its own that runs in a process of its own, on a user's machine in a temporary folder. The
package is not part of what is installed, and nothing in `src` knows it.
"""
