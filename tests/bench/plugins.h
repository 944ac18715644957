/* Peers in plugins, since two implementations of OpenMP cannot share a program otherwise. */
#ifndef PLUGINS_H
#define PLUGINS_H

#include "bench_peer.h"

/* Loads those that were built beside this program; returns how many peers they have in all, at most `most`. */
unsigned plugins_load(const struct bench_peer **out_peers, unsigned most);
unsigned plugins_count(void);

#endif
