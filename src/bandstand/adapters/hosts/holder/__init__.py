"""The holder: it starts one agent process, owns it and all its offspring, and outlives whoever asked for it.

Standard library only, run as `python -I -S .../holder` in the run's folder, its orders as JSON on stdin. There it keeps
`lock` (locked for life), `journal` and its continuations, `stderr` (of its own faults too), `sock`, and leaves `exit`.
What stays true:

* It is PID 1 of its own PID namespace: however it dies, all in there dies with it. Where that is not allowed it is a
  subreaper: a SIGKILL of the holder then ends the agent, but not what the agent started.
* A line to the agent is in the journal before it is in the pipe, and a key is taken once.
* Up to its committed size the journal is whole records that never change. The exit record is the last of them.
* The exit file is there only when nothing of the tree is left. An agent that cannot be started leaves no journal.

A record is `KIND TIME_MS LENGTH KEY PAYLOAD\\n`; the length rules. A command on the socket is a line of JSON with `n`
raw bytes behind it, one at a time, answered by a line of JSON; after `tail` a connection gets the journal's own bytes.

    __main__   the start: lock, journal, socket, agent
    holding    the agent's pipes, what clients may have done, the end
    clients    who is connected, and what each gets of the journal
    journal    what was said, on disk
    bell       what is heard outside
    tree       the agent and all its offspring
    egress     the proxy of its sandbox, if it has one
    loop       what is waited for
    faults     where a test can have it die
"""

VERSION = 2
STDIN_LIMIT = 16 << 20  # bytes that may wait for the agent, and so the longest line to it
FULL = "full"  # a file that is there while the disk does not take what is said, and the agent waits
SEGMENT = 4 << 20  # bytes of the journal in one file, more or less: a record is never parted
