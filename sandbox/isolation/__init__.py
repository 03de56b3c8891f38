"""How a worker process is kept from the rest of the machine: bubblewrap, or plain process limits."""
