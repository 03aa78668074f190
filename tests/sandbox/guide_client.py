"""The Python client of the vendor's async-jobs guide; the base URL and the key come from the environment."""

import os
import sys
import time

import requests

BASE_URL = os.environ["NOVAKIT_BASE_URL"]
API_KEY = os.environ["NOVAKIT_API_KEY"]


class NovaKitAsyncClient:
    """Submits a job and polls it."""

    def __init__(self, api_key):
        self.headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}

    def submit_job(self, endpoint, params):
        """Start a job."""
        response = requests.post(f"{BASE_URL}/{endpoint}?async=true", headers=self.headers, json=params)
        response.raise_for_status()
        return response.json()["id"]

    def poll_job(self, job_id, timeout=300):
        """Wait for a job."""
        start = time.time()
        while time.time() - start < timeout:
            response = requests.get(f"{BASE_URL}/jobs/{job_id}?poll=true", headers=self.headers)
            response.raise_for_status()
            job = response.json()
            if job["status"] == "completed":
                return job
            if job["status"] == "failed":
                raise RuntimeError(job.get("errorMessage", "Job failed"))
            if job["status"] == "cancelled":
                raise RuntimeError("Job was cancelled")
            print(f"Status: {job['status']}, progress: {job.get('progress', 0)}%", file=sys.stderr)  # noqa: T201
            time.sleep(5)
        raise TimeoutError("Job timed out")

    def run(self, endpoint, params):
        """Start a job and wait for it."""
        return self.poll_job(self.submit_job(endpoint, params))


if __name__ == "__main__":
    client = NovaKitAsyncClient(API_KEY)
    result = client.run("videos/generations", {"prompt": sys.argv[1], "duration_seconds": 5})
    print(result["outputData"]["video"]["url"])  # noqa: T201
