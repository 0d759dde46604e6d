// Logs, metrics and traces. Only identities may send: local authentication is off.
param location string
param tags object
@minLength(13)
param token string
@description('Who gets mail about failures. Empty: nobody.')
param alertMail string

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: 'log-${token}'
  location: location
  tags: tags
  properties: {
    retentionInDays: 30
    sku: { name: 'PerGB2018' }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${token}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
  }
}

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(alertMail)) {
  name: 'ag-${token}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'payables'
    enabled: true
    emailReceivers: [{ name: 'people', emailAddress: alertMail, useCommonAlertSchema: true }]
  }
}

// The queries are the ones that people run: docs/queries.
var alerts = [
  {
    name: 'failed-instances'
    what: 'Orchestrations have failed.'
    query: loadTextContent('../docs/queries/failed_instances.kql')
    severity: 2
    window: 'PT15M'
  }
  {
    name: 'failed-business'
    what: 'A payment, an approval or a document has failed: a person has to look at it.'
    query: loadTextContent('../docs/queries/failed_business.kql')
    severity: 1
    window: 'PT15M'
  }
  {
    name: 'poisoned-messages'
    what: 'Messages cannot be processed.'
    query: loadTextContent('../docs/queries/poisoned_messages.kql')
    severity: 2
    window: 'PT15M'
  }
  {
    name: 'dead-monitors'
    what: 'Something that watches for ever has stopped.'
    query: loadTextContent('../docs/queries/dead_monitors.kql')
    severity: 2
    window: 'P2D'
  }
]

resource rules 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = [
  for alert in alerts: {
    name: '${alert.name}-${token}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: alert.name
      description: alert.what
      severity: alert.severity
      enabled: true
      scopes: [insights.id]
      evaluationFrequency: alert.window == 'P2D' ? 'PT1H' : 'PT15M'
      windowSize: alert.window
      criteria: {
        allOf: [
          {
            query: alert.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      autoMitigate: true
      actions: { actionGroups: empty(alertMail) ? [] : [people.id] }
    }
  }
]

output insightsName string = insights.name
output workspaceId string = workspace.id
