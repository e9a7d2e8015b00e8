import { Annotations, Stack, Token, TokenComparison } from 'aws-cdk-lib';
import { type IGrantable, PolicyStatement, type PolicyStatementProps } from 'aws-cdk-lib/aws-iam';
import { Construct, type IConstruct } from 'constructs';

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
