/* SPDX-License-Identifier: BSD-2-Clause */
/* mapsync FILE: does a mapping of FILE take MAP_SYNC? Prints "sync" and stores a line, or says why not. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_RDWR | O_CREAT, 0600) : -1;
	char *p;

	if (fd < 0 || ftruncate(fd, 4096))
		return perror("file"), 1;
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	if (p == MAP_FAILED)
		return perror("mmap"), 1;
	strcpy(p, "stored through MAP_SYNC\n");
	puts("sync");
	return 0;
}
