import type { CfnRole } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { invalid } from '../lib/errors.ts';

/** The unique ids of functions' roles, as SQS names who sent a message. */
export function sendersOf(...functions: readonly LambdaFunction[]): string {
  return functions
    .map(({ node: { path }, role }) => {
      const { attrRoleId } = (role?.node.defaultChild as CfnRole | undefined) ?? {};
      if (attrRoleId !== undefined) return attrRoleId;
      throw invalid(
        `Millrace: the role of ${path} is not made here (Role.customizeRoles), so the online update ` +
          'cannot know it by its id, and would refuse its commands; leave the roles of Millrace out',
      );
    })
    .join(',');
}
