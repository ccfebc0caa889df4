"""The adapters: ports made real. Only the bootstrap imports them."""
