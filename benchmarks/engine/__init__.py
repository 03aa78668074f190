"""One job: requests, delays, faults, kills and long runs."""
