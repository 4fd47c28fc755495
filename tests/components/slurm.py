"""A real one-node Slurm with fake GPUs: munged, slurmctld and slurmd in one directory."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.components.process import (
    Child,
    Component,
    ComponentError,
    free_port,
    program,
    wait_until,
)
from tests.components.slurmdbd import Accounting

START_S = 30.0
COMMAND_S = 30.0
KEY_BYTES = 128

# config_overrides: the node may promise more than this machine has.
SLURM_CONF = """ClusterName={cluster}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={socket}
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
{accounting}
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
GresTypes=gpu
ReturnToService=2
KillWait=1
MailProg={true}
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/slurmd.pid
SlurmctldLogFile={directory}/slurmctld.log
SlurmdLogFile={directory}/slurmd.log
DefMemPerCPU=100
NodeName={node} NodeAddr=127.0.0.1 NodeHostname={host} Port={node_port} CPUs={cpus} \
RealMemory={memory_mb} Gres=gpu:{model}:{gpus} State=UNKNOWN
PartitionName={partition} Nodes={node} Default=YES MaxTime=INFINITE State=UP
{more}
"""

GRES_CONF = "AutoDetect=off\nNodeName={node} Name=gpu Type={model} File={devices}\n"
CONTROLLER = "slurmctld"

ACCOUNTING = """AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={port}
AccountingStoragePass={socket}
AccountingStorageTRES=gres/gpu"""
NO_ACCOUNTING = "AccountingStorageType=accounting_storage/none"
HOOK = "#!/bin/sh\nGPULEDGER_HOOK_DIR={folder} exec {script}\n"


def hook_lines(directory: Path, scripts: Path) -> list[str]:
    """Lines for slurm.conf that run our prolog and epilog; they write to `directory`/hook."""
    for name in ("prolog", "epilog"):
        script = scripts / f"gpuledger-{name}.sh"
        wrapper = directory / f"{name}.sh"
        wrapper.write_text(HOOK.format(folder=directory / "hook", script=script))
        wrapper.chmod(0o755)
    lines = [f"Prolog={directory}/prolog.sh", f"Epilog={directory}/epilog.sh"]
    return [*lines, "PrologFlags=Alloc"]


class Slurm(Component):
    """A cluster of one node; jobs run for real as the current user, GPUs are links to /dev/null."""

    def __init__(
        self,
        directory: Path,
        *,
        gpus: int = 8,
        model: str = "h100",
        node: str = "n1",
        cluster: str = "gpuledger",
        partition: str = "gpu",
        cpus: int = 64,
        memory_mb: int = 64000,
        minors: Sequence[int] = (),
        more: Sequence[str] = (),
        accounting: Accounting | None = None,
    ) -> None:
        """`minors` are the numbers of the device files, `more` are lines for slurm.conf.

        An `accounting` that was started keeps the history of jobs.
        """
        self.accounting = accounting
        self.directory = directory
        self.minors = tuple(minors) or tuple(range(gpus))
        self.gpus = len(self.minors)
        self.more = tuple(more)
        self.model = model
        self.node = node
        self.cluster = cluster
        self.partition = partition
        self.cpus = cpus
        self.memory_mb = memory_mb
        self.socket_directory = Path()
        self.children: list[Child] = []
        self.controller: Child

    @property
    def conf(self) -> Path:
        return self.directory / "slurm.conf"

    @property
    def env(self) -> dict[str, str]:
        """The whole environment that points squeue, scontrol and sbatch at this cluster."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_"))}
        return {**inherited, "SLURM_CONF": str(self.conf)}

    def start(self) -> None:
        """Return when the node is idle, ready for jobs."""
        self._write_files()
        try:
            self._start_munge()
            if self.accounting:
                self.accounting.serve(self.socket_directory / "socket", self.env, self.cluster)
            self.start_controller()
            self._start_daemon("slurmd", ["-N", self.node], self._node_is_idle)
        except BaseException:
            self._stop_daemons()
            raise

    def start_controller(self) -> None:
        """Start slurmctld, also again after `kill_controller`; return when it answers."""
        self.controller = self._start_daemon(CONTROLLER, [], self._controller_answers)

    def kill_controller(self) -> None:
        """Kill -9 slurmctld once it has written down what it knows; jobs go on.

        It writes in the background: killed before, it forgets jobs and gives their numbers again.
        """
        state = self.directory / "state" / "job_state"
        before = state.stat().st_mtime_ns if state.exists() else 0
        for job in self._jobs()[:1]:
            self.run("scontrol", "update", f"JobId={job}", "Comment=seen")
            wait_until(
                lambda: state.exists() and state.stat().st_mtime_ns > before, COMMAND_S, "saved"
            )
        self.controller.kill()
        self.children.remove(self.controller)

    def start_rest(self) -> Path:
        """The unix socket of a slurmrestd that answers."""
        path = self.socket_directory / "rest"
        plugins = "openapi/v0.0.38" + (",openapi/dbv0.0.38" if self.accounting else "")
        child = Child(
            [program("slurmrestd"), "-f", str(self.conf), "-s", plugins, f"unix:{path}"],
            self.directory / "slurmrestd.out",
            env={**self.env, "SLURMRESTD_SECURITY": "disable_user_check"},
        )
        self.children.append(child)
        child.start()
        child.wait_ready(path.exists, START_S)
        return path

    def stop(self) -> None:
        """End all jobs, then the daemons, the last started first."""
        try:
            if self.controller in self.children and all(c.running for c in self.children):
                self.cancel_all()
        finally:
            self._stop_daemons()

    def run(self, command: str, *arguments: str) -> str:
        """What a Slurm command prints; ComponentError when it fails."""
        done = self._try(command, *arguments)
        if done.returncode != 0:
            raise ComponentError(f"{command} {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def submit(
        self,
        script: str,
        gpus: int = 1,
        name: str = "job",
        *,
        account: str | None = None,
        cpus: int = 1,
        options: Sequence[str] = (),
    ) -> int:
        """Submit the lines of a shell script, return the job's id; its output goes to output()."""
        body = script if script.startswith("#!") else f"#!/bin/sh\n{script}\n"
        command = ["--parsable", f"--job-name={name}", f"--cpus-per-task={cpus}"]
        command += [f"--output={self.directory}/job-%j.out", f"--chdir={self.directory}"]
        command += [f"--gres=gpu:{self.model}:{gpus}"] if gpus else []
        command += [f"--account={account}"] if account else []
        path = self.directory / "job.sh"
        path.write_text(body)
        return int(self.run("sbatch", *command, *options, str(path)).split(";")[0])

    def output(self, job: int) -> str:
        """What the job has printed so far."""
        path = self.directory / f"job-{job}.out"
        return path.read_text() if path.exists() else ""

    def state(self, job: int) -> str:
        """The job's state as Slurm spells it, such as PENDING, RUNNING or COMPLETED."""
        words = self.run("scontrol", "-o", "show", "job", str(job)).split()
        return next(word.split("=", 1)[1] for word in words if word.startswith("JobState="))

    def wait_state(self, job: int, state: str, deadline_s: float = 30.0) -> None:
        """Return when the job is in the state; ComponentError with the logs when it is late."""
        try:
            wait_until(lambda: self.state(job) == state, deadline_s, f"job {job} {state}")
        except ComponentError as late:
            detail = self.run("scontrol", "show", "job", str(job))
            raise ComponentError(f"{late}\n{detail}\n{self._tails()}") from late

    def cancel(self, job: int) -> None:
        """Ask Slurm to end the job; wait_state(job, "CANCELLED") tells when it did."""
        self.run("scancel", str(job))

    def cancel_all(self) -> None:
        """End every job and wait until the queue is empty."""
        jobs = self._jobs()
        if not jobs:
            return
        self.run("scancel", *{job.partition("_")[0] for job in jobs})
        wait_until(lambda: not self._jobs(), COMMAND_S, "the queue is empty")

    def _jobs(self) -> list[str]:
        return self.run("squeue", "--noheader", "--format=%i").split()

    def _try(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program(command), *arguments],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )

    def _write_files(self) -> None:
        devices = self.directory / "dev"
        for folder in (devices, self.directory / "state", self.directory / "spool"):
            folder.mkdir(parents=True, exist_ok=True)
        for minor in self.minors:
            device = devices / f"nvidia{minor}"
            device.unlink(missing_ok=True)
            # slurmd wants a character device, any will do.
            device.symlink_to("/dev/null")
        # A Unix socket's path may have 107 characters, a test's directory is often longer.
        self.socket_directory = Path(tempfile.mkdtemp(prefix="munge-"))
        self.socket_directory.chmod(0o755)
        self.conf.write_text(SLURM_CONF.format_map(self._values()))
        numbers = ",".join(map(str, self.minors))
        gres = GRES_CONF.format(
            node=self.node, model=self.model, devices=devices / f"nvidia[{numbers}]"
        )
        (self.directory / "gres.conf").write_text(gres)

    def _values(self) -> dict[str, object]:
        munge = self.socket_directory / "socket"
        return {
            "accounting": ACCOUNTING.format(port=self.accounting.port, socket=munge)
            if self.accounting
            else NO_ACCOUNTING,
            "cluster": self.cluster,
            "host": socket.gethostname().split(".")[0],
            "controller_port": free_port(),
            "node_port": free_port(),
            "user": getpass.getuser(),
            "socket": munge,
            "true": program("true"),
            "directory": self.directory,
            "node": self.node,
            "model": self.model,
            "gpus": self.gpus,
            "cpus": self.cpus,
            "memory_mb": self.memory_mb,
            "partition": self.partition,
            "more": "\n".join(self.more),
        }

    def _start_munge(self) -> None:
        key = self.directory / "munge.key"
        key.write_bytes(os.urandom(KEY_BYTES))
        key.chmod(0o600)
        command = [program("munged"), "--foreground", "--force", "--origin=127.0.0.1"]
        command += [f"--socket={self.socket_directory / 'socket'}", f"--key-file={key}"]
        command += [f"--pid-file={self.socket_directory / 'pid'}"]
        command += [f"--log-file={self.directory / 'munged.log'}"]
        command += [f"--seed-file={self.directory / 'munge.seed'}"]
        child = self._child(command, "munged.out")
        child.wait_ready((self.socket_directory / "socket").exists, START_S)

    def _start_daemon(self, name: str, arguments: list[str], ready: Callable[[], bool]) -> Child:
        command = [program(name), "-D", "-f", str(self.conf), *arguments]
        child = self._child(command, f"{name}.out")
        try:
            child.wait_ready(ready, START_S)
        except ComponentError as late:
            raise ComponentError(f"{late}\n{self._tails()}") from late
        return child

    def _child(self, command: list[str], log: str) -> Child:
        child = Child(command, self.directory / log, env=self.env)
        self.children.append(child)
        child.start()
        return child

    def _controller_answers(self) -> bool:
        return self._try("scontrol", "ping").stdout.rstrip().endswith("is UP")

    def _node_is_idle(self) -> bool:
        return self._try("sinfo", "--noheader", "--format=%T").stdout.strip() == "idle"

    def _stop_daemons(self) -> None:
        while self.children:
            self.children.pop().stop()
        shutil.rmtree(self.socket_directory, ignore_errors=True)

    def _tails(self) -> str:
        return "\n".join(path.read_text()[-3000:] for path in self.directory.glob("slurm*.log"))
