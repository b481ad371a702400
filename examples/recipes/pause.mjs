// Pause a task and wait until it is paused, from Node.js: node pause.mjs INSTANCE TASK
// ENDPOINT, PROJECT_ID and TOKEN come from the environment.
const { ENDPOINT, PROJECT_ID, TOKEN, POLL_SECONDS = "5" } = process.env;
const [instance, task] = process.argv.slice(2);
const base = `${ENDPOINT}/v3/${PROJECT_ID}/instances/${instance}/starrocks/databases/replication`;
const headers = {
  "X-Auth-Token": TOKEN,
  "Content-Type": "application/json",
  "X-Language": "en-us", // One of two official sources says that it is required.
};

async function call(url, options = {}) {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(30_000), ...options });
  const body = await response.json();
  if (!response.ok) throw new Error(`${response.status} ${body.error_code} ${body.error_msg}`);
  return body;
}

async function stageOf(name) {
  for (let offset = 0; ; ) {
    const { replications } = await call(`${base}?limit=50&offset=${offset}`);
    const found = replications.find((one) => one.task_name === name);
    if (found) return found.stage.toLowerCase();
    if (!replications.length) throw new Error(`no task ${name}`);
    offset += replications.length;
  }
}

const { job_id } = await call(`${base}/pause`, {
  method: "POST",
  body: JSON.stringify({ task_name: task }),
});
console.log(`accepted as job ${job_id}`);
while ((await stageOf(task)) !== "paused") {
  await new Promise((resolve) => setTimeout(resolve, Number(POLL_SECONDS) * 1000));
}
console.log(`${task} is paused`);
