import { describe, expect, it } from 'vitest';
import { scheduleExpression } from '../../infra/schedule-expression.ts';

describe('an expression of a schedule', () => {
  it('is what EventBridge Scheduler takes', () => {
    for (const text of [
      'rate(1 day)',
      'rate(90 minutes)',
      'cron(0 3 * * ? *)',
      'cron(0/15 8-17 ? * MON-FRI *)',
      'cron(0 0 L * ? *)',
      'cron(0 10 ? * 6#3 2026-2030)',
      'cron(5,35 14 15W jan,JUL ? *)',
      'cron(*/5 * ? * 2L *)',
      'cron(0 0 29 FEB ? *)',
      'cron(0 0 30,31 2-4/2 ? *)',
      'cron(0 0 29 2 ? 2027-2028)',
    ])
      expect(scheduleExpression.safeParse(text).error?.message, text).toBeUndefined();
  });

  it('is refused with a reason where AWS would refuse it', () => {
    for (const [text, reason] of [
      ['every day', 'must be rate(1 day)'],
      ['rate(1 dya)', 'a count of minutes, hours or days'],
      ['rate(0 days)', 'a count of minutes, hours or days'],
      ['rate(1.5 hours)', 'a count of minutes, hours or days'],
      ['rate(1 days)', 'minute, hour or day after 1'],
      ['rate(2 day)', 'minute, hour or day after 1'],
      ['cron(0 3 * * *)', 'takes 6 fields'],
      ['cron(60 3 * * ? *)', 'minutes cannot be 60'],
      ['cron(0 24 * * ? *)', 'hours cannot be 24'],
      ['cron(0 3 ? * 0 *)', 'day of week cannot be 0'],
      ['cron(0 3 ? * FUN *)', 'day of week cannot be FUN'],
      ['cron(0 3 1 13 ? *)', 'month cannot be 13'],
      ['cron(0 17-8 ? * MON *)', 'hours cannot be 17-8'],
      ['cron(0 3 * * * *)', 'must be ?, and the other not'],
      ['cron(0 3 ? * ? *)', 'must be ?, and the other not'],
      ['cron(0 3 1 * ? 26)', 'year cannot be 26'],
      ['cron(0 0 30 2 ? *)', 'no such day in any of its months'],
      ['cron(0 0 31 4,jun,9-11/2 ? *)', 'no such day'],
      ['cron(0 0 29 2 ? 2027)', 'no such day'],
      ['cron(0 0 30/1 FEB ? *)', 'no such day'],
    ])
      expect(scheduleExpression.safeParse(text).error?.message, text).toContain(reason);
  });
});
