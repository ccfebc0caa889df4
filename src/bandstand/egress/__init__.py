"""The egress proxy: the one way out of a sandbox that has a network namespace of its own.

Standard library only, like the holder, whose fork it is for an agent; for a check it is a program of its own. It
listens in the namespace of the sandbox, on a socket that was made there from outside, and connects from the machine's
own. So nothing of it runs inside, and what does not come through here finds no route. What stays true:

* Nothing is connected to that the rules do not name, and no address but the one that was judged. Names are resolved
  here, once for each connection; what a name means a moment later makes no difference.
* Addresses of the machine and of its own networks are refused, whatever name leads there, unless a rule names that very
  host and port. An address that is written as a number needs a rule for that number.
* The rules are read anew when their file changes, so an answer of a human holds for the next connection.
  Rules that cannot be read let nothing through.
* One connection never waits for another one, and none for ever: each step has a deadline, and their number has a bound.
* What is refused is told once for each host and port, and no more than so many. What was said on a connection is told
  to nobody: no path, no header, no credential.

    __main__    for a check: from orders on stdin to the end of whoever gave them
    proxy       the connections: how each begins, what answers it gets, the limits
    rules       what may be reached, by name and by address
    reaching    from a name to a connection
    requests    HTTP: the head of a request, made fit for its server
    framing     HTTP: where a body ends, and what a response says of its connection
    socks       SOCKS5
    relay       bytes both ways
    account     what was refused, and how much went where
    entrance    a socket in the namespace of somebody else
"""

PORT = 3128
"""Where the proxy listens inside, on the loopback address."""
