"""The egress proxy: the one way out of a sandbox that has a network namespace of its own.

Standard library only, like the holder, whose fork it is for an agent; for a check it is a program of its own. It
listens in the namespace of the sandbox, on a socket that was made there from outside, and connects from the machine's
own. So nothing of it runs inside, and what does not come through here finds no route. What stays true:

* Nothing is connected to that the rules do not name, and no address but the one that was judged. Names are resolved
  here, once for each connection; what a name means a moment later makes no difference.
* Addresses of the machine and of its own networks are refused, whatever name leads there, unless a rule names that very
  host and port. An address that is written as a number needs a rule for that number.
* What a rule names on the machine's own loopback address is found inside on the same port: programs do not ask a proxy
  about `localhost`. These doors are there from the start, and lead where the rules still say so.
* The rules are read anew when their file changes, so an answer of a human holds for the next connection.
  Rules that cannot be read let nothing through.
* One connection never waits for another one, and none for ever: each step has a deadline, and their number has a bound.
* What is refused is told once for each host and port, and no more than so many. What was said on a connection is told
  to nobody: no path, no header, no credential.

    __main__    for a check: from orders on stdin to the end of whoever gave them
    proxy       the connections: how each begins, what answers it gets, the limits
    files       what may be reached, and what was moved, in a folder
    rules       what may be reached, by name and by address
    reaching    from a name to a connection
    requests    HTTP: the head of a request, made fit for its server
    framing     HTTP: where a body ends, and what a response says of its connection
    socks       SOCKS5
    relay       bytes both ways
    account     what was refused, and how much went where
    serving     all of it for one sandbox, and what comes to it by other doors
    gate        the same as a process of its own, a fork of whoever opens it
    entrance    sockets in the namespace of somebody else
    variables   what has programs use it
"""

PORT = 3128
"""Where the proxy listens inside, on the loopback address."""
