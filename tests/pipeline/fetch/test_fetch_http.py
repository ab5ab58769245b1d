"""Answers that are final, answers that may pass, redirections, and bodies that drip."""

import contextlib
import gc
import itertools
import re
import socket
import threading
from importlib import metadata
from time import monotonic, sleep

import pytest

from pipeline.fetch_http import FetchError, MayPass, is_web_address
from pipeline.fetch_manners import FetchSettings, backoff_seconds

HOUR_LATER = "Sun, 09 Sep 2001 02:46:40 GMT"  # the clients' clock stands at 1e9 seconds, 01:46:40


def get(client, url, **options):
    """Ask as a download does, without a file."""

    def attempt():
        with client.request("GET", url, **options) as answer:
            return b"".join(client.pieces(answer))

    return client.persist(url, attempt)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_failures_that_may_pass_are_tried_again(server, reply, client, time, status):
    url = server.put("/f", reply(b"busy", status), reply(b"busy", status), reply(b"here"))
    assert get(client, url) == b"here"
    assert len(server.asked) == 3
    assert time.pauses == [backoff_seconds(url, failures, client.settings) for failures in (1, 2)]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 451, 501, 505])
def test_other_failures_are_final(server, reply, client, time, status):
    url = server.put("/f", reply(b"no", status))
    with pytest.raises(FetchError, match=f"{url}: the server answered {status}: the reason") as caught:
        get(client, url, hints={status: "the reason"})
    assert caught.value.others_too == (status == 403)
    assert len(server.asked) == 1
    assert time.pauses == []


@pytest.mark.parametrize(
    ("asked", "least"),
    [("7", 7), (HOUR_LATER, 600), ("100000", 600), ("9" * 400, 0), ("soon", 0), ("-5", 0), ("", 0), ("Mon, 99", 0)],
)
def test_a_server_that_names_a_pause_gets_it_up_to_ten_minutes(server, reply, client, time, asked, least):
    url = server.put("/f", reply(b"", 503, {"Retry-After": asked}), reply(b"here"))
    assert get(client, url) == b"here"
    assert time.pauses == [max(least, backoff_seconds(url, 1, client.settings))]


def test_a_named_pause_does_not_shorten_the_own_one(server, reply, make_client, time):
    url = server.put("/f", reply(b"", 429, {"Retry-After": "0"}), reply(b"here"))
    client = make_client(pause_seconds=100)
    get(client, url)
    assert time.pauses == [backoff_seconds(url, 1, client.settings)]
    assert time.pauses[0] > 0


def test_tries_come_to_an_end(server, reply, make_client, time):
    url = server.put("/f", reply(b"", 503))
    with pytest.raises(FetchError, match=r"the server answered 503 \(tries: 5\)") as caught:
        get(make_client(tries=5), url)
    assert caught.value.others_too
    assert (len(server.asked), len(time.pauses)) == (5, 4)


def test_nobody_there_is_tried_again_and_told(make_client, time):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/f"
        with pytest.raises(FetchError, match="refused"):
            get(make_client(tries=2), url)
    assert len(time.pauses) == 1


def test_silence_in_the_middle_of_a_body_ends_the_wait(server, reply, make_client):
    url = server.put("/f", reply(b"begin, then nothing", cut=5, stall=True), reply(b"here"))
    assert get(make_client(read_seconds=0.1), url) == b"here"
    assert len(server.asked) == 2


def test_silence_before_an_answer_ends_the_wait(make_client, said):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/f"
        with pytest.raises(FetchError, match="no answer in time"):
            get(make_client(read_seconds=0.1, tries=1), url)


def test_a_body_that_drips_counts_as_a_broken_connection(server, reply, make_client, said):
    ticks = itertools.count(step=10.0)  # each look at the clock finds it 10 s later
    url = server.put("/f", reply(bytes(100), drip=True), reply(bytes(200_000)))
    client = make_client(clock=lambda: next(ticks), slowest_bytes_per_second=1000, slowest_seconds=60)
    assert get(client, url) == bytes(200_000)
    assert re.search(r"only \d+ bytes came in \d+ s", said.getvalue())


def test_redirections_are_followed(server, reply, client):
    server.put("/1", reply(status=302, headers={"Location": "/2?x=1"}))
    server.put("/2?x=1", reply(status=307, headers={"Location": f"{server.url}/3"}))
    server.put("/3", b"here")
    assert get(client, f"{server.url}/1") == b"here"
    assert [one.path for one in server.asked] == ["/1", "/2?x=1", "/3"]


def test_redirections_in_a_circle_come_to_an_end(server, reply, client):
    url = server.put("/1", reply(status=301, headers={"Location": "/1"}))
    with pytest.raises(FetchError, match="redirected more than 5 times"):
        get(client, url)
    assert len(server.asked) == 6


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/f", "http://[::1", "http://a@b/", ""])
def test_redirections_lead_to_the_web_only(server, reply, client, location):
    url = server.put("/1", reply(status=302, headers={"Location": location}))
    with pytest.raises(FetchError, match="no address of http or https"):
        get(client, url)
    assert len(server.asked) == 1


def test_a_redirection_out_of_encryption_is_refused(client, monkeypatch, server, reply):
    server.put("/1", reply(status=302, headers={"Location": "http://127.0.0.1/f"}))
    send = client._send
    monkeypatch.setattr(client, "_send", lambda method, url, headers: send(method, f"{server.url}/1", headers))
    with pytest.raises(FetchError, match="not encrypted any more"):
        get(client, "https://127.0.0.1/1")


@pytest.fixture
def answering(client):
    """Serve bytes that may be no HTTP, to as many connections as a client makes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve(answer):
            with contextlib.suppress(OSError):
                for _ in range(client.settings.tries):
                    connection, _ = listening.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(answer)

        def start(answer):
            threading.Thread(target=serve, args=(answer,), daemon=True).start()
            return f"http://127.0.0.1:{listening.getsockname()[1]}/f"

        yield start


@pytest.mark.parametrize(
    "answer",
    [b"garbage\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200, b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000],
    ids=["garbage", "nothing", "200 headers", "an endless header"],
)
def test_answers_that_are_no_http_fail_in_a_line_after_all_tries(client, time, answering, answer):
    with pytest.raises(FetchError, match="tries: 8") as caught:
        get(client, answering(answer))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "a header": (HEAD + b"A: ", b"b"),
    "rows of 100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a chunk's extension": (CHUNKED + b"4\r\nhere\r\n4;", b"e"),
    "trailers": (CHUNKED + b"4\r\nhere\r\n0\r\n", b"A: b\r\n"),
}


@pytest.fixture
def endless():
    """Send a beginning, then a piece again and again, until the client hangs up or 10 s have passed."""
    hung_up = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve(begin, piece, pause):
            connection, _ = listening.accept()
            end = monotonic() + 10
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(begin)
                while monotonic() < end:
                    sleep(pause)
                    connection.sendall(piece)
                return
            hung_up.set()

        def start(begin, piece, pause):
            threading.Thread(target=serve, args=(begin, piece, pause), daemon=True).start()
            return f"http://127.0.0.1:{listening.getsockname()[1]}/f"

        start.hung_up = hung_up
        yield start


# An extension is cut off at 64 KiB by http.client, and a header likewise, so only drips of these are endless.
@pytest.mark.parametrize(
    ("what", "pause"),
    [*((what, 0.02) for what in ENDLESS), ("rows of 100 Continue", 0), ("trailers", 0)],
)
def test_what_never_gets_on_is_given_up_in_time_and_leaves_no_thread(make_client, endless, what, pause):
    client = make_client(clock=monotonic, read_seconds=0.3, slowest_seconds=0.3, tries=1)
    url = endless(*ENDLESS[what], pause)
    threads, start = threading.active_count(), monotonic()
    with pytest.raises(FetchError, match=r"the server sends, but nothing to go on with came in 0\.6 s \(tries: 1\)"):
        get(client, url)
    assert 0.6 <= monotonic() - start < 3
    assert endless.hung_up.wait(5)
    assert threading.active_count() <= threads


def test_silence_inside_a_head_is_borne_as_long_as_settings_say(make_client, endless):
    client = make_client(clock=monotonic, read_seconds=2, slowest_seconds=0.1, tries=1)
    url = endless(HEAD, b"Content-Length: 4\r\n\r\nhere", 0.4)
    with client.request("GET", url) as answer:
        assert answer.read(100) == b"here"


def test_answers_through_a_proxy_are_given_up_as_well(make_client, endless, monkeypatch):
    client = make_client(clock=monotonic, read_seconds=0.3, slowest_seconds=0.3, tries=1)
    proxy = endless(b"HTTP/1.1 200 OK\r\nA: ", b"b", 0.02)
    client._session.proxies = {"http": proxy, "https": proxy}
    with pytest.raises(FetchError, match="nothing to go on with"):
        get(client, "https://files.invalid/f")


# urllib3 leaves the socket of such an answer to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_answer_of_two_lengths_fails_in_a_line(client, answering):
    with pytest.raises(FetchError, match=r"Content-Length contained multiple unmatching values") as caught:
        get(client, answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n12345"))
    assert "\n" not in str(caught.value)
    del caught
    gc.collect()


def test_the_body_of_a_redirection_is_not_read(server, reply, client):
    server.put("/1", reply(b"x" * 1000, status=302, headers={"Location": "/2"}, endless=True))
    server.put("/2", b"here")
    assert get(client, f"{server.url}/1") == b"here"


@pytest.mark.parametrize("promised", ["-1", "many", "1e3", "٣"])
def test_a_length_that_is_none_is_not_believed(server, reply, client, promised):
    url = server.put("/f", reply(b"here", headers={"Content-Length": promised.encode().decode("latin-1")}))
    with client.request("GET", url) as answer:
        assert answer.length is None


def test_requests_are_paced(server, make_client, time):
    client = make_client(requests_per_second=0.5)
    for _ in range(3):
        get(client, server.put("/f", b"here"))
    assert time.pauses == [2.0, 2.0]


def test_bytes_are_paced(server, make_client, time):
    body = bytes(100_000)
    assert get(make_client(rate=10_000), server.put("/f", body)) == body
    # Every piece but the last is waited for, and a piece is at most a quarter of a second's worth.
    assert 9.75 <= time.passed < 10
    assert max(time.pauses) <= 0.25 + 1e-9


def test_the_server_learns_who_asks(server, make_client):
    url = server.put("/f", b"here")
    get(make_client(), url)
    get(make_client(contact="me@example.org"), url)
    version = metadata.version("llama-corpus")
    agents = [one.headers["user-agent"] for one in server.asked]
    assert agents == [f"llama-corpus/{version}", f"llama-corpus/{version} (+me@example.org)"]


def test_one_connection_serves_one_file_after_the_other(server, client, monkeypatch):
    opened = []
    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", lambda self, to: opened.append(to) or connect(self, to))
    for number in range(3):
        assert get(client, server.put(f"/{number}", b"here")) == b"here"
    assert len(opened) == 1


def test_a_failure_that_may_pass_says_for_how_long():
    assert MayPass("busy").seconds == 0
    assert FetchError("gone").others_too is False


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://data.commoncrawl.org", True),
        ("HTTP://x:80/a", True),
        ("ftp://x/", False),
        ("https://", False),
        ("data.commoncrawl.org", False),
        ("http://user:secret@x/", False),
        ("http://[::1", False),
    ],
)
def test_addresses_are_of_the_web(url, fits):
    assert is_web_address(url) == fits


@pytest.mark.parametrize("failures", [1, 2, 3, 7, 8, 1000])
def test_pauses_grow_to_their_bound_and_repeat_for_the_same_address(failures):
    settings = FetchSettings(pause_seconds=2, max_pause_seconds=120)
    bound = min(120, 2 * 2 ** (failures - 1))
    pauses = [backoff_seconds(f"http://x/{number}", failures, settings) for number in range(200)]
    assert all(0 <= pause < bound for pause in pauses)
    assert 0.4 * bound < sum(pauses) / 200 < 0.6 * bound  # evenly drawn: half the bound on average
    assert pauses[0] == backoff_seconds("http://x/0", failures, settings)
    assert pauses[0] != backoff_seconds("http://x/0", failures, settings, seed="another machine")


@pytest.mark.parametrize("contact", ["me\r\nHost: x", "a)b", "", " x", "x" * 201, "grüße@example.org"])
def test_a_contact_that_is_no_header_is_refused(contact):
    with pytest.raises(ValueError, match="contact"):
        FetchSettings(contact=contact)


@pytest.mark.parametrize("contact", ["me@example.org", "https://example.org/a b", "x" * 200])
def test_a_contact_may_be_an_address_or_a_page(contact):
    assert FetchSettings(contact=contact).contact == contact
