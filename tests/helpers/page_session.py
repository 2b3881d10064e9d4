"""Runs the blocks of pages, each page in a folder of its own, in forks of one process that has imported torch.

A page's blocks of Python share their names, as in a notebook. A line of the shell that is a command of pyqmix
alone is the command's ``main`` in a fork; any other is typed into bash.
"""

import json
import os
import re
import select
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from interpreter_end import exit_code

os.environ["OMP_NUM_THREADS"] = "1"

PATIENCE = 500.0  # seconds of a page, on a machine that is busy with other work
SHELL = re.compile(r"[|&;<>$`(*]|^\w+=")
SHORT = {"--log-every": 100, "--eval-episodes": 2, "--batch-size": 4, "--total-steps": 150}


def shortened(command):
    """Return a command of a page as it is run: the same, for fewer steps, episodes and seeds."""
    command = re.sub(r"\s+#.*", "", command)
    if re.search(r"--(help|print-config|version)", command):
        return command
    if "--resume" in command:
        return re.sub(
            r"--checkpoint \d+", "--checkpoint 3800", re.sub(r"--total-steps \S+", "--total-steps 4000", command)
        )
    if "pyqmix-eval" in command:
        return re.sub(r"--gif", "--draw-episodes 1 --gif", re.sub(r"--episodes \S+", "--episodes 3", command))
    if not re.search(r"pyqmix-(train|sweep)", command):
        return command
    command = re.sub(r"--seeds 0:\d+", "--seeds 0:1", command)
    command, ends, rest = re.match(r"(.*?)(\s*[|>].*|)()$", command).groups()
    added = {name: value for name, value in SHORT.items() if name not in command}
    command = re.sub(r"--total-steps \S+", "--total-steps 150", command)
    command = re.sub(r"--(num-envs|num-workers) \S+", r"--\1 2", command)
    if "pyqmix-sweep" in command and " -- " not in command:
        command += " --"
    return " ".join([command, *(f"{name} {value}" for name, value in added.items())]) + ends + rest


def shortened_file(text):
    """Return a file of a page as it is written: the same, for fewer steps, tasks and seeds."""
    text = re.sub(r"^task: \[([^,\]]+),[^\]]*\]", r"task: [\1]", text, flags=re.MULTILINE)
    text = re.sub(r"^seeds: 0:\d+", "seeds: 0:1", text, flags=re.MULTILINE)
    text = re.sub(r"^total_steps: \d+", "total_steps: 150", text, flags=re.MULTILINE)
    return shortened_python(text)


def shortened_python(code):
    """Return a block of Python as it is run: the same, for fewer steps."""
    short = "total_steps=300" if "eval_episodes" in code else "total_steps=300, eval_episodes=2"
    return re.sub(r"total_steps=\d[\d_]*", short, code)


class PageSession:
    """The process that has imported everything; :meth:`run` is called for one page at a time."""

    def __init__(self):
        command = [sys.executable, __file__]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
        )

    def run(self, folder, blocks):
        """Run blocks in a folder, and return an empty text or a report of the first failure."""
        job = {
            "folder": str(folder),
            "blocks": [[each.kind, each.text, each.title, each.where] for each in blocks],
        }
        job["commands"] = [each.commands for each in blocks]
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        code = self._process.stdout.readline().strip()
        return "" if code == "0" else f"exit code {code}\n{(folder / 'page.log').read_text()[-6000:]}"

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def _serve():
    _import_all()
    for line in sys.stdin:
        job = json.loads(line)
        print(_forked(lambda job=job: _run_page(job), f"{job['folder']}/page.log"), flush=True)


def _import_all():
    """Import what pages and commands import on their way, without starting a thread."""
    import torch

    torch.set_num_threads(1)
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])  # imports torch._dynamo


def _run_page(job):
    os.chdir(job["folder"])
    sys.path.insert(0, job["folder"])
    names = {"__name__": "__main__"}
    for (kind, text, title, where), commands in zip(job["blocks"], job["commands"], strict=True):
        print(f"-- {where}", flush=True)
        if kind == "file":
            Path(title).parent.mkdir(parents=True, exist_ok=True)
            Path(title).write_text(shortened_file(text))
        elif kind == "python":
            exec(compile(shortened_python(text), where, "exec"), names)
        else:
            for command in commands:
                _run_command(shortened(command))


def _run_command(command):
    print(f"$ {command}", flush=True)
    words = shlex.split(command, comments=True)
    name = words[0].removeprefix("pyqmix-")
    if SHELL.search(command) or name == words[0]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "PYTHONPATH": os.getcwd()}
        code = subprocess.run(["bash", "-c", command], env=environment, check=False).returncode
    else:
        code = _forked(lambda: _command(name, words))
    if code:
        raise SystemExit(f"exit code {code}: {command}")


def _command(name, words):
    from pyqmix.cli import start

    sys.argv = words
    vars(sys.modules["__main__"]).pop("__file__", None)  # worker processes would import this script
    {**vars(start), "eval": start.evaluate, "import": start.import_model}[name]()


def _forked(function, log=None):
    """Run a function in a fork, and return its exit code."""
    sys.stdout.flush()
    if pid := os.fork():
        if log is not None and not select.select([os.pidfd_open(pid)], [], [], PATIENCE)[0]:
            os.killpg(pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 1
    try:
        if log is not None:
            os.setsid()
            file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, 1)
            os.dup2(file, 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        code = exit_code(function)
    finally:
        os._exit(code)


if __name__ == "__main__":
    _serve()
