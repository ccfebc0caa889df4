"""Git: the user's repository, and the workspaces of agents and checks."""
