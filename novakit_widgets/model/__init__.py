"""The service's terms as plain values: tools, jobs, media, parameters, quotas. No I/O."""
