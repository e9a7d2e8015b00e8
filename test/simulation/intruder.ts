/** The producer's name under which commands come from somebody who may not send any. */
export const intruder = 'intruder';
