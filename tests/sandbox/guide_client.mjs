// The JavaScript client of the vendor's async-jobs guide; the base URL and the key come from the environment.

const BASE_URL = process.env.NOVAKIT_BASE_URL;
const API_KEY = process.env.NOVAKIT_API_KEY;

const headers = { Authorization: `Bearer ${API_KEY}`, "Content-Type": "application/json" };

async function submitJob(endpoint, params) {
  const response = await fetch(`${BASE_URL}/${endpoint}?async=true`, {
    method: "POST",
    headers,
    body: JSON.stringify(params),
  });
  if (!response.ok) throw new Error(`HTTP ${response.status}: ${(await response.json()).error}`);
  return (await response.json()).id;
}

async function pollJob(jobId, timeout = 300000) {
  const start = Date.now();
  while (Date.now() - start < timeout) {
    const response = await fetch(`${BASE_URL}/jobs/${jobId}?poll=true`, { headers });
    if (!response.ok) throw new Error(`HTTP ${response.status}: ${(await response.json()).error}`);
    const job = await response.json();
    if (job.status === "completed") return job;
    if (job.status === "failed") throw new Error(job.errorMessage ?? "Job failed");
    if (job.status === "cancelled") throw new Error("Job was cancelled");
    console.error(`Status: ${job.status}, progress: ${job.progress ?? 0}%`);
    await new Promise((resolve) => setTimeout(resolve, 5000));
  }
  throw new Error("Job timed out");
}

const job = await pollJob(
  await submitJob("videos/generations", { prompt: process.argv[2], duration_seconds: 5 }),
);
console.log(job.outputData.video.url);
