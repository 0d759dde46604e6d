// The app, what it runs on, and, unless left out, the sandbox that it talks to.
// docs/deploying.md explains the parameters.
targetScope = 'subscription'

@minLength(1)
@maxLength(32)
@description('Name of the environment. Each environment has a resource group, and so a storage account and a task hub, of its own.')
param environmentName string

@minLength(1)
@metadata({ azd: { type: 'location' } })
@description('Region of all resources. It has to offer Flex Consumption.')
param location string

@description('Object id of the person or pipeline that deploys. Empty: give the data roles yourself.')
param principalId string = ''

@allowed(['User', 'Group', 'ServicePrincipal'])
@description('What principalId is.')
param principalType string = 'User'

@allowed(['3.11', '3.12', '3.13'])
param pythonVersion string = '3.12'

@description('Deploy the sandbox, and point every URL of the app at it.')
param deploySandbox bool = true

@secure()
@minLength(24)
@metadata({ azd: { type: 'generate', config: { length: 40, noSpecial: true } } })
@description('What every path of the sandbox begins with. azd generates it once per environment.')
param sandboxKey string

@description('Settings of the app by name. They are added to those below, or replace them: URLs where there is no sandbox, limits, addresses of people.')
param appSettings object = {}

@description('Put storage and vault behind private endpoints in a virtual network.')
param useVirtualNetwork bool = false

@allowed(['AzureStorage', 'DurableTaskScheduler'])
@description('Where the task hub is. For the scheduler, deploy infra/host.scheduler.json as host.json.')
param taskHubBackend string = 'AzureStorage'

@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@minValue(0)
@description('Instances for orchestrators, activities and entities that never stop. 0: the app scales to zero.')
param alwaysReadyInstances int = 0

@description('Client id of an app registration: callers have to sign in by Entra ID as well. Empty: the function key is enough.')
param entraClientId string = ''

@description('Who gets mail when something failed. Empty: the alerts show in the portal only.')
param alertMail string = ''

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module resources 'resources.bicep' = {
  name: 'accounts-payable'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    principalId: principalId
    principalType: principalType
    pythonVersion: pythonVersion
    deploySandbox: deploySandbox
    sandboxKey: sandboxKey
    appSettings: appSettings
    useVirtualNetwork: useVirtualNetwork
    taskHubBackend: taskHubBackend
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyInstances: alwaysReadyInstances
    entraClientId: entraClientId
    alertMail: alertMail
  }
}

// azd keeps outputs in the environment, where the hooks in azure.yaml find them.
output AZURE_LOCATION string = location
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_FUNCTION_APP string = resources.outputs.functionAppName
output AZURE_FUNCTION_APP_URL string = resources.outputs.functionAppUrl
output AZURE_KEY_VAULT string = resources.outputs.vaultName
output AZURE_SYSTEM_TOPIC string = resources.outputs.systemTopicName
output AZURE_STORAGE_ACCOUNT string = resources.outputs.storageAccountName
