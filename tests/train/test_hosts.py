"""Processes that are not there, and devices that fail, are told in one line."""

import socket

import jax
import pytest

from train.hosts import DeviceError, _await, joined


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.parametrize("coordinator", ["127.0.0.1", ":80", "host:", "host:x", "host:0", "host:65536"])
def test_an_address_without_host_and_port_is_refused(coordinator):
    with pytest.raises(ValueError, match=r"hosts\.coordinator must be host:port, got "):
        _await(coordinator, is_first=False)


def test_a_process_says_that_it_waits_for_the_first_and_gives_up_in_one_line(capsys):
    port = free_port()
    with pytest.raises(
        ValueError, match=rf"hosts\.coordinator=127\.0\.0\.1:{port}: process 0 cannot be reached there: "
    ):
        _await(f"127.0.0.1:{port}", is_first=False, seconds=0.02)
    assert capsys.readouterr().err == f"waiting for process 0 at 127.0.0.1:{port}, for 0.02 s at most\n"


def test_a_process_that_finds_the_first_has_nothing_to_say(capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        _await(f"127.0.0.1:{server.getsockname()[1]}", is_first=False)
    assert capsys.readouterr().err == ""


def test_the_first_process_says_that_it_waits(capsys):
    _await("127.0.0.1:4000", is_first=True)
    assert capsys.readouterr().err == "waiting for the other processes at 127.0.0.1:4000, for 300 s at most\n"


def test_a_device_out_of_memory_is_one_line():
    with pytest.raises(DeviceError, match=r"^RESOURCE_EXHAUSTED: Out of memory allocating 4 bytes\.$"), joined(None):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory\nallocating 4 bytes.")
