"""The service's HTTP: requests, retries, downloads and uploads."""
