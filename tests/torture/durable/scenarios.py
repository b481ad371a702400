"""What is done to programs with durable windows, and what must be true afterwards."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

from tests.torture.durable.arena import LATEST, TASKS, Arena, Program, end

DAY = 86_400.0

Scenario = Callable[[Arena, random.Random, str], None]


def killed(arena: Arena, chance: random.Random, instance: str) -> None:
    """SIGKILL at a random moment: the guardian resumes what the program paused, no more."""
    program, ours, theirs = _begun(arena, chance, instance)
    _kill_somewhere(program, chance)
    _must_run(arena, instance, program, ours, "killed")
    _check(arena, instance, program, ours, theirs)


def killed_with_guardian(arena: Arena, chance: random.Random, instance: str) -> None:
    """The same for program and guardian: ``recover`` resumes the tasks."""
    program, ours, theirs = _begun(arena, chance, instance)
    _await_somewhere(program, chance)
    victims = [*program.guardians(), program.pid]
    chance.shuffle(victims)
    for pid in victims:
        if pid == program.pid:
            program.kill()
        else:
            end(pid)
    program.close()
    since, last = time.monotonic(), None
    while not arena.await_running(instance, ours, LATEST + 0.3):
        if time.monotonic() - since > arena.patience:
            arena.found("not recovered", instance, tasks=ours, said=[program.said, last])
            break
        recovery = Program(arena, instance, [], role="recover")
        last = recovery.until("recovered", arena.patience)
        recovery.close()
        arena.counts["recover ran"] += 1
    arena.seconds.append(time.monotonic() - since)
    _check(arena, instance, program, ours, theirs)


def restarted(arena: Arena, chance: random.Random, instance: str) -> None:
    """Killed, and started again while the guardian resumes: no task runs in the second block."""
    arena.fresh(instance)
    names = chance.sample(TASKS, chance.choice([1, 2]))
    programs = [
        Program(arena, instance, names, asynchronous=chance.random() < 0.5, inside=0.3)
        for _ in range(2)
    ]
    first, second = programs
    for program in programs:
        program.until("ready", 60)
    first.go()
    first.until("inside", 15)
    time.sleep(chance.random() * 0.3)
    guardians = first.guardians() if chance.random() < 0.3 else []
    first.kill()
    for pid in guardians:  # What the guardian leaves, the second program takes over.
        end(pid)
    time.sleep(chance.choice([0.0, chance.random() * 0.3, chance.random() * 1.5]))
    second.go()
    _finish(arena, instance, second)
    first.close()
    inside = second.said_at("inside")
    arena.counts["took over"] += bool(inside and inside["taken"])
    for program in programs:
        arena.check_block(instance, program, names)
    _must_run(arena, instance, second, names, "restarted")


def overlapping(arena: Arena, chance: random.Random, instance: str) -> None:
    """Two programs that want one task: their blocks never overlap, and no task runs in one."""
    arena.fresh(instance)
    shared, *others = chance.sample(TASKS, 3)
    programs = [
        Program(arena, instance, [shared, other], asynchronous=chance.random() < 0.5, inside=0.3)
        for other in others
    ]
    for program in programs:
        program.until("ready", 60)
    programs[0].go()
    time.sleep(chance.choice([0.0, 0.02, chance.random() * 0.6]))
    programs[1].go()
    for program in programs:
        _finish(arena, instance, program)
        arena.check_block(instance, program, program.names)
    blocks = [program.block() for program in programs]
    if blocks[0] and blocks[1] and max(b[0] for b in blocks if b) < min(b[1] for b in blocks if b):
        arena.found("two blocks with one task", instance, said=[p.said for p in programs])
    for program in programs:
        _must_run(arena, instance, program, program.names, "overlapping")


def expired(
    arena: Arena,
    chance: random.Random,
    instance: str,
    *,
    stopped: bool = False,
    clock: float = 0.0,
) -> None:
    """A lease that runs out in the block: the guardian resumes, and the block is told."""
    arena.fresh(instance)
    names = chance.sample(TASKS, chance.choice([1, 2]))
    lease = 4.0
    program = Program(
        arena,
        instance,
        names,
        asynchronous=chance.random() < 0.5,
        lease=lease,
        inside=lease + 1.5,
        clock=clock,
    )
    program.until("ready", 60)
    begun = time.time()
    program.go()
    if program.until("inside", 15) is None:
        arena.counts["no block"] += 1
        _finish(arena, instance, program)
        return
    if stopped:
        time.sleep(chance.random() * 1.5)
        program.signal(signal.SIGSTOP)
    if clock:
        for seconds in (clock, -clock):
            recovery = Program(arena, instance, [], role="recover", clock=seconds)
            recovery.until("recovered", arena.patience)
            recovery.close()
    time.sleep(max(0.0, begun + lease - time.time()))
    early = arena.resumes(instance, names, begun, begun + lease)  # It counts from a little later.
    if early:
        arena.found("resumed before the lease was over", instance, tasks=early)
    since = time.monotonic()
    while any(arena.stage(instance, name) == "Paused" for name in names):
        if time.monotonic() - since > arena.patience:
            arena.found("paused after the lease", instance, tasks=names, said=program.said)
            break
        time.sleep(0.02)
    arena.seconds.append(time.monotonic() - since)
    if stopped:
        program.signal(signal.SIGCONT)
    _finish(arena, instance, program)
    last = program.said_at("end") or {}
    arena.counts["told that the lease was over"] += bool(last.get("expired"))
    if not last.get("expired"):
        arena.found("the block was not told", instance, said=program.said)
    _must_run(arena, instance, program, names, "expired")


def expired_while_stopped(arena: Arena, chance: random.Random, instance: str) -> None:
    """The same for a program that is stopped by SIGSTOP meanwhile."""
    expired(arena, chance, instance, stopped=True)


def expired_under_another_clock(arena: Arena, chance: random.Random, instance: str) -> None:
    """The same while the time on the wall jumps by a day, for the program and for ``recover``."""
    expired(arena, chance, instance, clock=chance.choice([DAY, -DAY]))


def _begun(
    arena: Arena, chance: random.Random, instance: str
) -> tuple[Program, list[str], list[str]]:
    """A program that has begun, the tasks that it pauses, and those that somebody else paused."""
    arena.fresh(instance)
    names = chance.sample(TASKS, chance.choice([1, 1, 2, 3]))
    theirs = names[:1] if len(names) > 1 and chance.random() < 0.4 else []
    program = Program(arena, instance, names, asynchronous=chance.random() < 0.5)
    program.until("ready", 60)
    for name in theirs:
        arena.emulator.set_stage(instance, name, "Paused")
    program.go()
    return program, [name for name in names if name not in theirs], theirs


def _kill_somewhere(program: Program, chance: random.Random) -> None:
    _await_somewhere(program, chance)
    program.kill()
    program.close()


def _await_somewhere(program: Program, chance: random.Random) -> None:
    """A moment before, while or after it pauses, in its block, or while it resumes."""
    if chance.random() < 0.5:
        time.sleep(chance.random() * 1.6)
    else:
        program.until("inside", 15)
        time.sleep(chance.random() * 0.8)


def _must_run(arena: Arena, instance: str, program: Program, names: list[str], what: str) -> None:
    since = time.monotonic()
    if not arena.await_running(instance, names, arena.patience):
        left = [name for name in names if arena.stage(instance, name) == "Paused"]
        arena.found(f"left, {what}", instance, tasks=left, said=program.said)
    arena.seconds.append(time.monotonic() - since)


def _check(
    arena: Arena, instance: str, program: Program, ours: list[str], theirs: list[str]
) -> None:
    arena.counts["killed in the block"] += _in_block(program)
    arena.check_block(instance, program, ours)
    resumed = [name for name in theirs if arena.stage(instance, name) != "Paused"]
    arena.counts["paused by somebody else"] += len(theirs)
    if resumed:
        arena.found("resumed what somebody else paused", instance, tasks=resumed, said=program.said)


def _in_block(program: Program) -> bool:
    return program.said_at("inside") is not None and program.said_at("outside") is None


def _finish(arena: Arena, instance: str, program: Program) -> None:
    """Wait until a program ends by itself, and count what it ended with."""
    last = program.until("end", 60)
    if last is None:
        arena.found("hangs", instance, said=program.said)
        program.kill()
    else:
        arena.counts[f"ended with {last['error'] or 'no error'}"] += 1
    program.close()
