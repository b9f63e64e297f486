/* SPDX-License-Identifier: BSD-2-Clause */
/* device_private: what the files of this folder share of a device. */
#ifndef FIRMEM_DEVICES_DEVICE_PRIVATE_H
#define FIRMEM_DEVICES_DEVICE_PRIVATE_H

#include <firmem/device.h>

#include "devices/owner.h"

#include <pthread.h>
#include <stdatomic.h>

#define FMI_NAME_MAX 64u /* with its NUL */

struct fm_dev {
	struct fm_dev_ops ops;           /* our copy: zero-extended where the caller's is older */
	const struct fm_dev_ops *ops_id; /* the caller's: who may have the state */
	void *state;
	uint64_t len;
	unsigned max_access;
	/* Bit n: an access of n bytes goes straight to the verb. None while a trace listens. */
	unsigned straight;
	struct fm_medium_sub *subs; /* in order of subscription */
	fm_trace_fn *trace;
	void *trace_ctx;
	struct fmi_owner owner;
	_Atomic uint64_t map_generation;
	pthread_mutex_t lock; /* fm_dev_lock(); knows its owner */

	/* What happens outside an access: may come from another thread than the device's. */
	pthread_mutex_t event_lock;
	atomic_uint pending;
	int event_fd; /* -1 until asked for */
	struct fm_error error;
	char name[FMI_NAME_MAX];
};

/* Once ops, len, max_access and trace are as they are to be: fill in `straight`. */
void fmi_dev_set_straight(struct fm_dev *dev);

/* fm_dev_lock(), but false where this thread holds it already: the device reached itself. */
bool fmi_dev_lock(struct fm_dev *dev);

/* Does the device say of any part of it that the block has the contents? machine.c */
bool fmi_dev_keeps_in(struct fm_dev *dev, const struct fm_block *block);

/* Is the block one of the machine's? machine.c */
bool fmi_machine_has_block(const struct fm_machine *machine, const struct fm_block *block);
/* Does no space show the block, and no device of the machine have it, but one? FM_ERR_BUSY. */
int fmi_machine_check_unused(const struct fm_machine *machine, const struct fm_block *block,
			     const struct fm_dev *but, struct fm_error *err);
/* Of one that is there: take it out, whoever uses it. */
void fmi_machine_drop_block(struct fm_machine *machine, struct fm_block *block);
void fmi_machine_drop_dev(struct fm_machine *machine, struct fm_dev *dev);

#endif
