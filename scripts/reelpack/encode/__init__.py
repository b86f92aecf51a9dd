"""From frames to tokens and features: jobs, groups, batches for a device."""
