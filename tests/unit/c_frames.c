/* C code that calls back. Compiled twice, with and without unwind information, under the name that is given to it. */
int CALLS_BACK(int (*callback)(void*), void* data);

int CALLS_BACK(int (*callback)(void*), void* data) {
  /* Not the last thing that it does, or there would be no frame. */
  return callback(data) + 1;
}
