/* SPDX-License-Identifier: BSD-2-Clause */
#include "examples/board/console.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CTRL_A 0x01
#define ROOM_WAIT_MS 200 /* also how late a signal may be seen */

/* The one global: a signal handler gets no context. */
static volatile sig_atomic_t got_signal;

static void on_signal(int number)
{
	got_signal = number;
}

static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
}

int console_signal(void)
{
	return got_signal;
}

int console_open(struct console *con, bool interactive, struct fm_error *err)
{
	struct termios raw;

	memset(con, 0, sizeof(*con));
	con->interactive = interactive;
	catch_signals();
	if (!interactive || !isatty(STDIN_FILENO))
		return 0;
	if (tcgetattr(STDIN_FILENO, &con->saved))
		return fm_error_set(err, FM_ERR_IO, errno, "terminal: cannot read its settings: %s",
				    strerror(errno));
	raw = con->saved;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST; /* our own messages end in \n alone; the guest's \r\n is unharmed */
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw))
		return fm_error_set(err, FM_ERR_IO, errno, "terminal: cannot set raw mode: %s",
				    strerror(errno));
	con->raw = true;
	return 0;
}

void console_close(struct console *con)
{
	console_flush(con);
	if (con->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &con->saved);
	con->raw = false;
	free(con->rx);
	con->rx = NULL;
	con->rx_at = con->rx_len = con->rx_room = 0;
}

/* --- to the host --------------------------------------------------------------------------- */

/* Wait until there is room; false if a signal comes first, which a write might sleep through. */
static bool wait_for_room(void)
{
	struct pollfd fd = { .fd = STDOUT_FILENO, .events = POLLOUT };

	for (;;) {
		bool last = got_signal;

		if (poll(&fd, 1, last ? 0 : ROOM_WAIT_MS) > 0)
			return true;
		if (last)
			return false;
	}
}

void console_flush(struct console *con)
{
	size_t done = 0;

	while (done < con->tx_len && !con->write_error && wait_for_room()) {
		ssize_t n = write(STDOUT_FILENO, con->tx + done, con->tx_len - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR && errno != EAGAIN)
			con->write_error = errno;
	}
	con->tx_len = 0;
}

void console_put(struct console *con, uint8_t byte)
{
	if (con->tx_len == sizeof(con->tx))
		console_flush(con);
	con->tx[con->tx_len++] = byte;
}

/* --- to the guest -------------------------------------------------------------------------- */

bool console_ready(const struct console *con)
{
	return con->rx_at < con->rx_len;
}

uint8_t console_take(struct console *con)
{
	return console_ready(con) ? con->rx[con->rx_at++] : 0;
}

void console_send(struct console *con, const void *bytes, size_t len)
{
	if (!console_ready(con))
		con->rx_at = con->rx_len = 0;
	if (len > con->rx_room - con->rx_len) {
		size_t room = 2 * (con->rx_len + len);
		uint8_t *grown = realloc(con->rx, room);

		if (!grown)
			return;
		con->rx = grown;
		con->rx_room = room;
	}
	memcpy(con->rx + con->rx_len, bytes, len);
	con->rx_len += len;
}

/* Pass what was typed on, without our own key: Ctrl-A x leaves, Ctrl-A Ctrl-A is one Ctrl-A. */
static enum console_event typed(struct console *con, const uint8_t *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (con->raw && !con->escape && keys[i] == CTRL_A) {
			con->escape = true;
			continue;
		}
		if (con->escape && keys[i] == 'x')
			return CONSOLE_LEAVE;
		con->escape = false;
		console_send(con, &keys[i], 1);
	}
	return CONSOLE_NOTHING;
}

enum console_event console_poll(struct console *con, int wait_ms)
{
	struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };
	bool reading = con->interactive && !con->end_of_input;
	uint8_t keys[256];
	ssize_t n;

	console_flush(con);
	if (reading || wait_ms > 0)
		poll(&fd, reading ? 1 : 0, wait_ms);
	if (got_signal)
		return CONSOLE_SIGNAL;
	if (!reading || !(fd.revents & (POLLIN | POLLHUP | POLLERR)))
		return CONSOLE_NOTHING;
	n = read(STDIN_FILENO, keys, sizeof(keys));
	if (n > 0)
		return typed(con, keys, (size_t)n);
	if (n == 0 || errno != EINTR)
		con->end_of_input = true;
	return CONSOLE_NOTHING;
}
