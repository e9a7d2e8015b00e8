import { Annotations, Names, Stack, Token, TokenComparison } from 'aws-cdk-lib';
import {
  type IGrantable,
  type IGroup,
  type IPrincipal,
  type IUser,
  ManagedPolicy,
  PolicyStatement,
  type PolicyStatementProps,
} from 'aws-cdk-lib/aws-iam';
import { Construct, type IConstruct } from 'constructs';

/**
 * Who takes many statements in somebody's place: the policies of a user's or a group's own have
 * 2,048 characters at most, and 5,120; a managed one that is attached to them has 6,144.
 */
export function withRoom(scope: Construct, grantee: IGrantable): IGrantable {
  const { grantPrincipal } = grantee;
  if (!Construct.isConstruct(grantPrincipal)) return grantee;
  if (!isUser(grantPrincipal) && !isGroup(grantPrincipal)) return grantee;
  const id = `PolicyOf${Names.nodeUniqueId(grantPrincipal.node)}`;
  const known = scope.node.tryFindChild(id);
  if (known instanceof ManagedPolicy) return known;
  const policy = new ManagedPolicy(scope, id);
  if (isUser(grantPrincipal)) policy.attachToUser(grantPrincipal);
  else policy.attachToGroup(grantPrincipal);
  return policy;
}

function isUser(principal: IPrincipal): principal is IUser {
  return 'userName' in principal;
}

function isGroup(principal: IPrincipal): principal is IGroup {
  return 'groupName' in principal;
}

/**
 * Adds statements to somebody's own policy. Where that cannot be written here, a warning says which
 * ones it lacks.
 *
 * @param scope what is granted: the warning is about it
 */
export function grant(
  scope: IConstruct,
  { grantPrincipal }: IGrantable,
  ...statements: readonly PolicyStatementProps[]
): void {
  const { principalAccount } = grantPrincipal;
  // (CDK says of a role of another account, by its ARN, that it got its statements.)
  const isElsewhere =
    principalAccount !== undefined &&
    Construct.isConstruct(grantPrincipal) &&
    Token.compareStrings(principalAccount, Stack.of(grantPrincipal).account) ===
      TokenComparison.DIFFERENT;
  for (const each of statements) {
    const statement = new PolicyStatement(each);
    const { statementAdded } = grantPrincipal.addToPrincipalPolicy(statement);
    if (statementAdded && !isElsewhere) continue;
    const actions = statement.actions.join(', ');
    Annotations.of(scope).addWarningV2(
      `millrace:not-granted-${grantPrincipal}-${actions}`,
      `Nothing was granted to ${grantPrincipal}: its policy cannot be written here. ` +
        `It lacks ${actions}.`,
    );
  }
}
