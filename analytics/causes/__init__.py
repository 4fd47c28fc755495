"""Why a job makes little use of its GPUs: features of its telemetry, and rules that weigh them."""
