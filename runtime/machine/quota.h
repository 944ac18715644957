/* The time that the control groups of this process grant it. */
#ifndef DV_QUOTA_H
#define DV_QUOTA_H

/* Cores' worth of time: the least quota / period of the process's group and the groups above it, in versions 1 and 2
 * of control groups; 0: no limit, or none known. Files are read below `root`: "" for the machine, a folder with
 * proc/ and sys/ in it for a test. */
double dv_quota_read(const char *root);

#endif
