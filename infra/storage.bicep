// The storage of the host, of the task hub and of files, and the topic that reports new blobs.
param location string
param tags object
@minLength(13)
param token string
param isPrivate bool

var deploymentContainer = 'app-package'

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: 'st${token}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: isPrivate ? 'Deny' : 'Allow'
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'

    resource containers 'containers' = [
      for name in [deploymentContainer, 'scans', 'invoices']: {
        name: name
      }
    ]
  }

  resource queues 'queueServices' = {
    name: 'default'

    resource vendorEvents 'queues' = {
      name: 'vendor-events'
    }
  }
}

// The subscription to this topic needs a key of the running app: a hook creates it.
resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: 'evgt-${token}'
  location: location
  tags: tags
  properties: {
    source: account.id
    topicType: 'Microsoft.Storage.StorageAccounts'
  }
}

output name string = account.name
output deploymentContainerName string = deploymentContainer
output systemTopicName string = topic.name
