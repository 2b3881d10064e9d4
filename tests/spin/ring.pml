/* The ring with processes that crash at any step: claim, publish, abort, pin, unpin, death, reaping and the
 * giving out of ids. One word of the ring is one atomic step here; tests/cpp/relacy proves its memory orders.
 *
 * Sizes:  -DWRITERS=2 -DSAMPLERS=1 -DSLOTS=2 -DEPISODES=2 -DCRASHES=2
 * Faults: -DIGNORE_PINS, -DLIVE_IS_DEAD, -DREISSUE_UNSWEPT; each must violate an assertion.
 *
 * Checked: nobody writes where another one reads or writes (the payload's owner and readers are counted), a
 * live writer's publish never fails, a pin taken is a pin kept, and at the end every slot can be claimed.
 *
 * A variable that nobody will read again is set to zero: states that differ in nothing else are one state then.
 */
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef SAMPLERS
#define SAMPLERS 1
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef EPISODES
#define EPISODES 2
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#define NOBODY 255
/* Fewer ids than processes that live in turn, so that ids are given out again. */
#define IDS WRITERS

mtype = { EMPTY, WRITING, READY };

mtype state[SLOTS] = EMPTY;
byte owner[SLOTS] = NOBODY;
bit generation[SLOTS];     /* one bit tells a claim from the one before */
bool retired[SLOTS];
byte pins[SLOTS];        /* one bit for each sampler id */
byte lock_of[IDS];       /* 0: free; else 1 + the process that holds the writer id's byte */
byte sampler_lock[SAMPLERS];
byte crashes = 0;
byte ended = 0;

/* The truth about payloads, which the ring cannot see. */
byte writer_in[SLOTS] = NOBODY;  /* the process whose writes may still come */
byte readers_in[SLOTS];

/* Reaping: whoever holds the dead id's byte sweeps all words, a word at a time. */
inline reap_writer(id) {
    if
    :: atomic { lock_of[id] == 0 -> lock_of[id] = 1 + _pid }
       sweep_writer(id);
       lock_of[id] = 0
#ifdef LIVE_IS_DEAD
    :: lock_of[id] != 0 -> sweep_writer(id)
#endif
    :: else -> skip
    fi
}
inline sweep_writer(id) {
    k = 0;
    do
    :: k < SLOTS ->
       atomic {
           if
           :: state[k] == WRITING && owner[k] == id -> state[k] = EMPTY; owner[k] = NOBODY
           :: else -> skip
           fi;
           k++
       }
    :: else -> break
    od;
    k = 0
}
inline reap_sampler(id) {
    if
    :: atomic { sampler_lock[id] == 0 -> sampler_lock[id] = 1 + _pid }
       sweep_sampler(id);
       sampler_lock[id] = 0
    :: else -> skip
    fi
}
inline sweep_sampler(id) {
    k = 0;
    do
    :: k < SLOTS -> atomic { pins[k] = pins[k] & (255 - (1 << id)); k++ }
    :: else -> break
    od;
    k = 0
}

#ifdef IGNORE_PINS
#define FREE(s) (state[s] != WRITING)
#else
#define FREE(s) (state[s] != WRITING && pins[s] == 0)
#endif

/* The kernel: a dead process holds no byte any more, and touches no payload. */
inline die(slots_read) {
    atomic {
        crashes < CRASHES -> crashes++;
        readers_in[s] = readers_in[s] - slots_read;
        k = 0;
        do
        :: k < SLOTS ->
           if :: writer_in[k] == _pid -> writer_in[k] = NOBODY :: else -> skip fi;
           k++
        :: else -> break
        od;
        k = 0;
        do
        :: k < IDS -> if :: lock_of[k] == 1 + _pid -> lock_of[k] = 0 :: else -> skip fi; k++
        :: else -> break
        od;
        k = 0;
        do
        :: k < SAMPLERS ->
           if :: sampler_lock[k] == 1 + _pid -> sampler_lock[k] = 0 :: else -> skip fi; k++
        :: else -> break
        od;
        k = 0
    }
}

inline enter_writer() {
    if
    :: atomic { me == NOBODY && lock_of[0] == 0 -> lock_of[0] = 1 + _pid; me = 0 }
#if IDS > 1
    :: atomic { me == NOBODY && lock_of[1] == 0 -> lock_of[1] = 1 + _pid; me = 1 }
#endif
#if IDS > 2
    :: atomic { me == NOBODY && lock_of[2] == 0 -> lock_of[2] = 1 + _pid; me = 2 }
#endif
    fi;
#ifdef REISSUE_UNSWEPT
    skip
#else
    sweep_writer(me)
#endif
}

proctype Writer() {
    byte k, s, mark, me = NOBODY, done = 0, tried, held = NOBODY, blocker;
born:
    enter_writer();
    do
    :: done < EPISODES ->
       tried = 0; held = NOBODY;
       do
       :: tried < SLOTS && held == NOBODY ->
          s = (done + tried + _pid) % SLOTS;
          if
          :: atomic { FREE(s) ->
                 /* Whoever writes here must be alone. */
                 assert(writer_in[s] == NOBODY);
                 assert(readers_in[s] == 0);
                 state[s] = WRITING; owner[s] = me; retired[s] = false;
                 generation[s] = 1 - generation[s]; mark = generation[s];
                 writer_in[s] = _pid; held = s }
          :: atomic { state[s] == WRITING -> blocker = owner[s] }
             if :: blocker != me -> reap_writer(blocker) :: else -> skip fi;
             blocker = 0
          :: atomic { state[s] != WRITING && pins[s] != 0 -> retired[s] = true }
             reap_sampler(0);
#if SAMPLERS > 1
             reap_sampler(1)
#endif
          fi;
          tried++
       :: else -> break
       od;
       s = 0; tried = 0;
       if
       :: held != NOBODY ->
          if
          :: atomic { writer_in[held] = NOBODY;  /* publish */
                 assert(state[held] == WRITING && owner[held] == me && generation[held] == mark);
                 state[held] = READY; owner[held] = NOBODY }
          :: atomic { writer_in[held] = NOBODY;  /* abort */
                 assert(state[held] == WRITING && owner[held] == me && generation[held] == mark);
                 state[held] = EMPTY; owner[held] = NOBODY }
          :: die(0); me = NOBODY; held = NOBODY; mark = 0; done++; goto born
          fi
       :: else -> skip
       fi;
       held = NOBODY; mark = 0; done++
    :: die(0); me = NOBODY; done++; goto born
    :: else -> break
    od;
    lock_of[me] = 0;
    ended++
}

proctype Sampler() {
    byte k, s, me = NOBODY, done = 0;
born:
    if
    :: atomic { sampler_lock[0] == 0 -> sampler_lock[0] = 1 + _pid; me = 0 }
#if SAMPLERS > 1
    :: atomic { sampler_lock[1] == 0 -> sampler_lock[1] = 1 + _pid; me = 1 }
#endif
    fi;
#ifndef REISSUE_UNSWEPT
    sweep_sampler(me);
#endif
    do
    :: done < EPISODES ->
       if
       :: s = 0
#if SLOTS > 1
       :: s = 1
#endif
#if SLOTS > 2
       :: s = 2
#endif
       fi;
       if
       :: atomic { state[s] == READY && !retired[s] ->
              /* An id that was given out unswept finds its bit set already. */
              assert((pins[s] & (1 << me)) == 0);
              assert(writer_in[s] == NOBODY);
              pins[s] = pins[s] | (1 << me); readers_in[s]++ }
          if
          :: atomic { readers_in[s]--;  /* unpin */
                 assert(pins[s] & (1 << me));
                 pins[s] = pins[s] & (255 - (1 << me)) }
          :: die(1); me = NOBODY; s = 0; done++; goto born
          fi
       :: else -> skip
       fi;
       s = 0; done++
    :: else -> break
    od;
    sampler_lock[me] = 0;
    ended++
}

/* When all have ended, whoever comes finds every slot free, after at most two laps. */
proctype Last() {
    byte k, s = 0, lap = 0, blocker;
    ended == WRITERS + SAMPLERS;
    do
    :: lap < 2 ->
       s = 0;
       do
       :: s < SLOTS ->
          if
          :: state[s] == WRITING -> blocker = owner[s]; reap_writer(blocker); blocker = 0
          :: state[s] != WRITING && pins[s] != 0 -> reap_sampler(0);
#if SAMPLERS > 1
             reap_sampler(1)
#endif
          :: else -> skip
          fi;
          s++
       :: else -> break
       od;
       lap++
    :: else -> break
    od;
    s = 0;
    do
    :: s < SLOTS -> assert(state[s] != WRITING && pins[s] == 0); s++
    :: else -> break
    od
}

init {
    byte n = 0;
    atomic {
        do :: n < WRITERS -> run Writer(); n++ :: else -> break od;
        n = 0;
        do :: n < SAMPLERS -> run Sampler(); n++ :: else -> break od;
        run Last()
    }
}
