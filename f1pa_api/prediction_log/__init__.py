"""The prediction log: every lap that was asked for, on its way from a request to PostgreSQL.

A request appends its lines to a file of its worker, by one write before it is answered, and knows
nothing of the database. A thread of each worker moves such files, the *segments* of the *spool*, to
the table `predictions`.

- The spool is a folder on a local file system. A segment is named `{ns}-{pid}-answered.spool` or
  `{ns}-{pid}-unanswered.spool`, by the time and the process that made it; so names sort by time.
- Each worker has one segment of either kind open, and an exclusive `flock` on it for as long. The
  kernel drops that lock at any death. Who can take a segment's lock owns it: any worker ships
  what was closed or left behind, and nothing else has to be agreed on.
- A line is a row, in the text format of COPY. What comes after the last line's end is what a death
  left of a write whose request was not answered.
- Rows go to PostgreSQL by their ids, and those that are there already stay as they are. A segment
  is deleted after the commit, so a death in between costs a second shipment that changes nothing.
- Lines that PostgreSQL refuses are put aside in a file with `.rejected` for `.spool`, for a person
  to see.

docs/decisions/0013-prediction-log.md has the reasons.
"""
