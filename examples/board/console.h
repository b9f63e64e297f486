/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console: the far end of the guest's serial line. What the guest prints goes to standard output;
 * what it reads is typed on standard input (a terminal is put into raw mode; Ctrl-A x leaves), or
 * comes from console_send().
 */
#ifndef BOARD_CONSOLE_H
#define BOARD_CONSOLE_H

#include <firmem/base.h>

#include <termios.h>

struct console {
	bool interactive; /* read standard input */
	bool raw;         /* the terminal's settings were changed and are in `saved` */
	bool escape;      /* Ctrl-A was typed */
	bool end_of_input;
	int write_error; /* an errno: standard output is gone */
	struct termios saved;
	uint8_t *rx; /* bytes for the guest: [rx_at, rx_len) of rx_room */
	size_t rx_at, rx_len, rx_room;
	size_t tx_len;
	uint8_t tx[4096];
};

/* Take over the terminal if `interactive`. FM_ERR_IO. */
int console_open(struct console *con, bool interactive, struct fm_error *err);
/* Give the terminal back and print what is buffered. */
void console_close(struct console *con);

bool console_ready(const struct console *con);
uint8_t console_take(struct console *con);
void console_put(struct console *con, uint8_t byte);
/* Waits for standard output to take it; once a signal came, what is not taken is dropped. */
void console_flush(struct console *con);
/* Type `len` bytes. Dropped when there is no memory for them. */
void console_send(struct console *con, const void *bytes, size_t len);

enum console_event {
	CONSOLE_NOTHING = 0,
	CONSOLE_LEAVE,  /* Ctrl-A x */
	CONSOLE_SIGNAL, /* SIGINT, SIGTERM or SIGHUP */
};

/*
 * Print what is buffered and take what is typed, waiting at most `wait_ms` for it (0: not at all).
 */
enum console_event console_poll(struct console *con, int wait_ms);
/* The signal behind CONSOLE_SIGNAL, or 0. */
int console_signal(void);

#endif
