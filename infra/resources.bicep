// Everything in the resource group of one environment.
param location string
param tags object
@minLength(13)
param token string
param principalId string
param principalType string
param pythonVersion string
param deploySandbox bool
@secure()
param sandboxKey string
param appSettings object
param useVirtualNetwork bool
param taskHubBackend string
param instanceMemoryMB int
param maximumInstanceCount int
param alwaysReadyInstances int
param entraClientId string
param alertMail string

var usesScheduler = taskHubBackend == 'DurableTaskScheduler'
var schedulerName = 'dts-${token}'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-${token}'
  location: location
  tags: tags
}

module monitoring 'monitoring.bicep' = {
  name: 'monitoring'
  params: { location: location, tags: tags, token: token, alertMail: alertMail }
}

module storage 'storage.bicep' = {
  name: 'storage'
  params: { location: location, tags: tags, token: token, isPrivate: useVirtualNetwork }
}

module vault 'vault.bicep' = {
  name: 'vault'
  params: { location: location, tags: tags, token: token }
}

module scheduler 'scheduler.bicep' = if (usesScheduler) {
  name: 'scheduler'
  params: { location: location, tags: tags, name: schedulerName }
}

module network 'network.bicep' = if (useVirtualNetwork) {
  name: 'network'
  params: {
    location: location
    tags: tags
    token: token
    storageAccountName: storage.outputs.name
    vaultName: vault.outputs.name
  }
}

module roles 'roles.bicep' = {
  name: 'roles'
  params: {
    appPrincipalId: identity.properties.principalId
    deployerPrincipalId: principalId
    deployerPrincipalType: principalType
    storageAccountName: storage.outputs.name
    vaultName: vault.outputs.name
    insightsName: monitoring.outputs.insightsName
    schedulerName: usesScheduler ? schedulerName : ''
  }
  dependsOn: [scheduler]
}

module sandbox 'sandbox.bicep' = if (deploySandbox) {
  name: 'sandbox'
  params: {
    location: location
    tags: tags
    token: token
    pythonVersion: pythonVersion
    sandboxKey: sandboxKey
    workspaceId: monitoring.outputs.workspaceId
  }
}

module functionApp 'function_app.bicep' = {
  name: 'function-app'
  params: {
    location: location
    tags: tags
    token: token
    identityName: identity.name
    pythonVersion: pythonVersion
    storageAccountName: storage.outputs.name
    deploymentContainerName: storage.outputs.deploymentContainerName
    vaultUri: vault.outputs.uri
    insightsName: monitoring.outputs.insightsName
    subnetId: network.?outputs.appSubnetId ?? ''
    sandboxUrl: deploySandbox ? 'https://${sandbox!.outputs.hostName}/${sandboxKey}' : ''
    schedulerEndpoint: scheduler.?outputs.endpoint ?? ''
    appSettings: appSettings
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyInstances: alwaysReadyInstances
    entraClientId: entraClientId
  }
  // The host reads its storage when it starts, and the deployment writes the package there.
  dependsOn: [roles]
}

output functionAppName string = functionApp.outputs.name
output functionAppUrl string = functionApp.outputs.url
output vaultName string = vault.outputs.name
output storageAccountName string = storage.outputs.name
output systemTopicName string = storage.outputs.systemTopicName
