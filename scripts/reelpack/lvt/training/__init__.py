"""What all trainings share: processes, the order of data, metrics, checkpoints, early stops."""
