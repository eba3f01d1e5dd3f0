/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What TCP clients sent first, from a capture in the classic pcap format. Pure: no files,
 * no messages.
 */
#ifndef ALPNLB_PCAP_H
#define ALPNLB_PCAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCAP_STREAM_MAX (1 << 20) /* bytes of a stream that are put together */

/* The bytes one client sent, put in order by sequence number. */
struct pcap_stream {
	uint8_t client[16], server[16];	   /* IPv6, or IPv4 mapped */
	uint16_t client_port, server_port; /* host order */
	bool syn; /* the capture has the client's SYN, so the bytes are its first ones */
	bool gap; /* bytes behind a hole in the capture were left out */
	uint8_t *bytes;
	size_t len;
};

struct pcap {
	struct pcap_stream *streams; /* in order of their first packet; some have no bytes */
	size_t n;
};

/* Does it begin like a capture, of this or another format, that pcap_read() has a word on? */
bool pcap_recognize(const uint8_t *data, size_t len);

/*
 * Reads a capture: Ethernet (with VLAN tags), raw IP, BSD loopback or Linux cooked packets,
 * either byte order, micro- or nanoseconds. The client is who sends the SYN; without one in
 * the capture, who is seen first with data. IP fragments are passed over.
 * Returns 0 or -errno, with *error saying what is wrong. pcap_free() in any case.
 */
int pcap_read(const uint8_t *data, size_t len, struct pcap *pcap, const char **error);

void pcap_free(struct pcap *pcap);

#endif
