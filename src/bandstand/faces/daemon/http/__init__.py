"""The HTTP API: the daemon's orders, questions and events at `/api/v1`, over a Unix socket and, if asked for, TCP.

`table` says what there is; `doors` are bound at the start; all that needs Starlette or uvicorn (`app`, `serving`) is
imported at the first connection.
"""
