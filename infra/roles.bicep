// Who may do what. Nobody has Storage Account Contributor: it includes the account's keys, and only
// a blob trigger that polls needs it, to switch on the account's log. Event Grid feeds ours.
param appPrincipalId string
param deployerPrincipalId string
param deployerPrincipalType string
param storageAccountName string
param vaultName string
param insightsName string
param schedulerName string

var storageBlobDataOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
var storageQueueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
var storageTableDataContributor = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
var monitoringMetricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'
var keyVaultSecretsUser = '4633458b-17de-408a-b874-0445c86b69e6'
var keyVaultSecretsOfficer = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
var durableTaskDataContributor = '0ad04412-c4d5-4796-b79c-f76d14c8d402'

type Principal = { id: string, kind: string }

var app Principal = { id: appPrincipalId, kind: 'ServicePrincipal' }
var deployers Principal[] = empty(deployerPrincipalId) ? [] : [{ id: deployerPrincipalId, kind: deployerPrincipalType }]

// The deployer looks into containers, queues and the hub with the same rights as the app.
var storageRoles = [storageBlobDataOwner, storageQueueDataContributor, storageTableDataContributor]
var storageGrants = flatten(map(
  concat([app], deployers),
  principal => map(storageRoles, role => { principal: principal, role: role })
))
var vaultGrants = concat(
  [{ principal: app, role: keyVaultSecretsUser }],
  map(deployers, deployer => { principal: deployer, role: keyVaultSecretsOfficer })
)

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageAccountName
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource scheduler 'Microsoft.DurableTask/schedulers@2025-11-01' existing = if (!empty(schedulerName)) {
  name: schedulerName
}

resource onStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in storageGrants: {
    name: guid(storage.id, grant.principal.id, grant.role)
    scope: storage
    properties: {
      principalId: grant.principal.id
      principalType: grant.principal.kind
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
    }
  }
]

resource onVault 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in vaultGrants: {
    name: guid(vault.id, grant.principal.id, grant.role)
    scope: vault
    properties: {
      principalId: grant.principal.id
      principalType: grant.principal.kind
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
    }
  }
]

resource onInsights 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, app.id, monitoringMetricsPublisher)
  scope: insights
  properties: {
    principalId: app.id
    principalType: app.kind
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', monitoringMetricsPublisher)
  }
}

resource onScheduler 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in (empty(schedulerName) ? [] : concat([app], deployers)): {
    name: guid(scheduler.id, principal.id, durableTaskDataContributor)
    scope: scheduler
    properties: {
      principalId: principal.id
      principalType: principal.kind
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', durableTaskDataContributor)
    }
  }
]
