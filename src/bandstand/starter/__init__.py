"""Starting the program of a sandbox: what holders, checks and git in a workspace do around it, each in its own way.

It stands alone, with the standard library only: holders start with it in milliseconds, and outlive what started them.

    handing    descriptors that the program reads, and what it says on them of the process that it confines
    hearing    the same, for who has an event loop
    becoming   root becomes an ordinary user, who sees what it has to see
"""
