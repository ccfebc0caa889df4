"""The faces: thin ways in. Each gives orders and asks questions, nothing else."""
