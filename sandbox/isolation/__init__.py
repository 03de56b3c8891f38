"""How a worker process is kept from the rest of the machine: bubblewrap, containers, or plain process limits."""
