"""When the collector of reference cycles works: hardly ever, for a daemon makes much and leaves hardly a cycle."""

import gc

_MANY = 20_000


def rest() -> None:
    """Have it look at nothing while the daemon begins: of what is imported everything stays, and to look at it again
    and again is a tenth of the start."""
    gc.disable()


def spare() -> None:
    """Have it leave alone what is there by now, which stays for ever, and look at the rest more rarely.

    Streams of many agents make hundreds of thousands of short-lived objects a second: by default a tenth of the
    daemon's time goes into looking for a cycle among them.
    """
    gc.freeze()
    gc.set_threshold(_MANY, 10, 10)
    gc.enable()
