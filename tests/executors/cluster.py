"""A Slurm cluster of one node, with the real daemons, on this machine.

Debian: ``apt-get install slurmctld slurmd slurm-client munge``. The daemons run as root; all they write lies in one folder.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

#: What has to be installed.
NEEDS = ("munged", "slurmctld", "slurmd", "sbatch")


def missing() -> list[str]:
    """Programs of a Slurm cluster that are not on this machine."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    return [name for name in NEEDS if shutil.which(name, path=path) is None]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Slurm:
    """The daemons, from ``start`` to ``stop``.

    :param folder: for keys, configuration, state and logs.
    :param cpus: of the one node.
    """

    def __init__(self, folder: Path, cpus: int = 2) -> None:
        self.folder, self.cpus = folder, cpus
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
        self._daemons: list[subprocess.Popen] = []

    def start(self) -> None:
        """Start munged, slurmctld and slurmd, and wait until the node is idle.

        :raises RuntimeError: it is not, after a minute; with the daemons' last words.
        """
        for name in ("state", "spool", "munge"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "munge").chmod(0o700)
        key = self.folder / "munge/key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        socket_file = self.folder / "munge/socket"
        host = socket.gethostname().split(".")[0]
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        (self.folder / "slurm.conf").write_text(
            f"""
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={free_port()}
SlurmdPort={free_port()}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={socket_file}
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2
MinJobAge=30
KillWait=2
ReturnToService=2
StateSaveLocation={self.folder}/state
SlurmdSpoolDir={self.folder}/spool
SlurmctldLogFile={self.folder}/slurmctld.log
SlurmdLogFile={self.folder}/slurmd.log
SlurmctldPidFile={self.folder}/slurmctld.pid
SlurmdPidFile={self.folder}/slurmd.pid
NodeName={host} NodeAddr=127.0.0.1 CPUs={self.cpus} RealMemory=8000 State=UNKNOWN
PartitionName=work Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
        )
        self._start("munged", "--foreground", "--force", f"--socket={socket_file}", f"--key-file={key}",
                    f"--pid-file={self.folder}/munge/pid", f"--log-file={self.folder}/munge/log",
                    f"--seed-file={self.folder}/munge/seed")  # fmt: skip
        _until(socket_file.exists, 10)
        self._start("slurmctld", "-D", "-c")
        self._start("slurmd", "-D", "-c")
        if not _until(lambda: "idle" in self.ask("sinfo", "-h", "-o", "%T"), 30):
            logs = "\n".join(file.read_text()[-1500:] for file in self.folder.glob("*.log"))
            self.stop()
            raise RuntimeError(f"the Slurm node did not come up:\n{logs}")

    def ask(self, *command: str) -> str:
        """What a Slurm command prints."""
        found = subprocess.run(command, env=os.environ | self.environment, capture_output=True, text=True, check=False)
        return found.stdout

    def stop(self) -> None:
        """End the daemons and what they run."""
        self.ask("scancel", "--state=RUNNING", "--user=root")
        for daemon in reversed(self._daemons):
            daemon.terminate()
        for daemon in self._daemons:
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()

    def _start(self, *command: str) -> None:
        with (self.folder / f"{command[0]}.out").open("wb") as log:
            self._daemons.append(
                subprocess.Popen(
                    command, env=os.environ | self.environment, stdout=log, stderr=log, start_new_session=True
                )
            )


def _until(holds, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.2)
    return False
