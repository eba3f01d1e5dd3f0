/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_COMPLETE_H
#define ALPNLB_COMPLETE_H

/*
 * Prints what may follow `keyword` of `noun`, one per line, for the shell's completion:
 * names or ids of objects of the running configuration. Prints nothing if there are none.
 */
void complete_value(const char *noun, const char *keyword);

#endif
