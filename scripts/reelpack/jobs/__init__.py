"""How a job runs: stages, the journal, ledgers, worker processes, retries, devices, the command line."""
