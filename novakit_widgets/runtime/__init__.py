"""Python and the system: the job loop, clocks, worker threads, processes. Knows nothing of NovaKit."""
