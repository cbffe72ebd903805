# SPDX-License-Identifier: Apache-2.0
"""Engines shared between threads, across fork, and interrupted."""

import os
import signal
import threading
import time

import cases
import numpy as np
import pytest

import vitrum


def run_threads(count, work):
    threads = [threading.Thread(target=work, args=[i]) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_share_an_engine(upscaler):
    """Sizes differ between threads, so that a shared session would mix them up."""
    rng = np.random.default_rng(2)
    pictures = [rng.random((1, 3, 8 + 5 * i, 30 - 3 * i), np.float32) for i in range(4)]
    expected = [upscaler(x) for x in pictures]
    start = threading.Barrier(len(pictures))
    wrong = []

    def work(i):
        start.wait()
        for _ in range(20):
            if not (upscaler(pictures[i]) == expected[i]).all():
                wrong.append(i)

    run_threads(len(pictures), work)
    assert wrong == []


def test_two_calls_under_way_have_two_sessions():
    """Each thread starts only when the other is inside of a call, which neither could end if they shared a session."""
    engine = vitrum.compile(cases.checkpoint("swinir_classical_x4"), threads=1)
    rng = np.random.default_rng(3)
    large = rng.random((1, 3, 128, 128), np.float32)
    small = [rng.random((1, 3, 8 + 8 * i, 16), np.float32) for i in range(2)]
    alone = [engine(x) for x in small]
    expected = engine(large)
    under_way, answers = threading.Event(), {}

    def work(i):
        if i == 0:
            under_way.set()
            answers["large"], answers["end"] = engine(large), time.perf_counter()
        else:
            under_way.wait()
            answers["small"] = [engine(x) for x in small]
            answers["between"] = time.perf_counter()

    run_threads(2, work)
    assert answers["between"] < answers["end"], "the small calls had to wait for the large one"
    assert (answers["large"] == expected).all()
    assert all((y == z).all() for y, z in zip(answers["small"], alone))


def test_python_goes_on_during_a_call():
    engine = vitrum.compile(cases.checkpoint("swinir_classical_x4"), threads=1)
    x = np.zeros((1, 3, 192, 192), np.float32)
    engine(x)
    ticks = []
    done = threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    begin = time.perf_counter()
    engine(x)
    end = time.perf_counter()
    done.set()
    thread.join()
    during = sum(begin < t < end for t in ticks)
    assert during > 3, f"{during} ticks in {end - begin:.3f} s"


def test_a_forked_child_has_sessions_of_its_own(picture):
    engine = vitrum.compile(cases.checkpoint("swinir_lightweight_x2"), threads=2)
    expected = engine(picture)
    child = os.fork()
    if child == 0:
        os._exit(0 if (engine(picture) == expected).all() else 1)
    deadline = time.monotonic() + 30
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail("the child hangs")
        time.sleep(0.01)
    assert os.waitstatus_to_exitcode(status) == 0
    assert (engine(picture) == expected).all()


def test_a_signal_ends_a_long_call():
    engine = vitrum.compile(cases.checkpoint("swinir_classical_x4"), device="reference")
    x = np.zeros((1, 3, 96, 96), np.float32)

    def interrupt(signum, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.15)
    try:
        with pytest.raises(KeyboardInterrupt):
            for _ in range(1000):
                engine(x)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert engine(x[:, :, :8, :8]).shape == (1, 3, 32, 32)
