"""Reading what a person writes for Bandstand: configuration, tasks, scores. Nothing here acts on what it reads."""
